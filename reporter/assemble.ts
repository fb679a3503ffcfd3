/*
 * Assembles the scripts that a repository copies, each one file, from reporter/src: npm run reporter.
 * A line `#@ FILE...` becomes the functions of a file .sh, and commands that write a file .py to $work; FILE=NAME gives it
 * another name there.
 */
import { chmodSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const REPORTER = import.meta.dirname
const SOURCE = join(REPORTER, 'src')

/** The scripts, by the names of their files: those of the source that name others. */
export function assembled(): Record<string, string> {
  const shell = readdirSync(SOURCE).filter((name) => name.endsWith('.sh'))
  const texts = shell.map((name) => [name, readFileSync(join(SOURCE, name), 'utf8')] as const)
  return Object.fromEntries(
    texts.filter(([, text]) => /^ *#@/m.test(text)).map(([name, text]) => [name, assemble(text)]),
  )
}

/** Where a script is kept: the example repository has a copy, as every repository has. */
export function placesOf(name: string): string[] {
  return [join(REPORTER, name), ...(name === 'update-gitops-status.sh' ? [join(REPORTER, 'example', name)] : [])]
}

function assemble(template: string): string {
  return template.replaceAll(/^ *#@ (.*)\n/gm, (_line, list: string) =>
    list
      .split(' ')
      .map((item) => (item.endsWith('.sh') ? functionsOf(item) : written(item)))
      .join(''),
  )
}

/** A file without its first lines, which are for who reads it alone. */
function functionsOf(name: string): string {
  const text = readFileSync(join(SOURCE, name), 'utf8')
  return text.slice(text.indexOf('\n\n') + 2)
}

function written(item: string): string {
  const [source = '', name = basename(source)] = item.split('=')
  return `  cat >"$work/${name}" <<'PYTHON'\n${readFileSync(join(SOURCE, source), 'utf8')}PYTHON\n`
}

if (process.argv[1] === import.meta.filename) {
  for (const [name, text] of Object.entries(assembled())) {
    for (const place of placesOf(name)) {
      writeFileSync(place, text)
      chmodSync(place, 0o755)
    }
  }
}
