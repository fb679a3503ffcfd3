/* Builds all files of a release into an empty directory: npm run release:build -- DIRECTORY */
import { resolve } from 'node:path'
import { STEPS, emptyDirectory } from './steps.ts'

const directory = resolve(process.argv[2] ?? 'release')
emptyDirectory(directory)
for (const { name, build } of STEPS) {
  process.stderr.write(`== ${name}\n`)
  build(directory)
}
