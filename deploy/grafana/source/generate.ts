import { writeFileSync } from 'node:fs'
import { DIRECTORY, generated } from './files.ts'

// `npm run dashboards`, after each change in this directory or of the data source.
for (const [path, text] of generated()) writeFileSync(new URL(path, DIRECTORY), text)
