import { writeFileSync } from 'node:fs'
import { settingsPage } from './reference.ts'

// `npm run reference`, after each change of a setting or of a command.
writeFileSync(new URL('../settings.md', import.meta.url), await settingsPage())
