/*
 * Assembles the scripts that a repository copies, each one file, from reporter/src: npm run reporter.
 * A line `#@ a.py b.py` becomes commands that write these programs to $work; `#@ a.py dir/b.py` gives one another name.
 */
import { chmodSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const REPORTER = import.meta.dirname
const SOURCE = join(REPORTER, 'src')

/** The scripts, by the names of their files. */
export function assembled(): Record<string, string> {
  const names = readdirSync(SOURCE).filter((name) => name.endsWith('.sh'))
  return Object.fromEntries(names.map((name) => [name, assemble(readFileSync(join(SOURCE, name), 'utf8'))]))
}

/** Where a script is kept: the example repository has a copy, as every repository has. */
export function placesOf(name: string): string[] {
  return [join(REPORTER, name), join(REPORTER, 'example', name)]
}

function assemble(template: string): string {
  return template.replaceAll(/^ *#@ (.*)\n/gm, (_line, list: string) => {
    const [first = '', second] = list.split(' ')
    if (second?.includes('/')) return written(first, second)
    return list
      .split(' ')
      .map((name) => written(name, name))
      .join('')
  })
}

function written(source: string, name: string): string {
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
