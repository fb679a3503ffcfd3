import { setTimeout as sleep } from 'node:timers/promises'
import type { Site } from './site.ts'

/** Reads the record and the history of servers that have stopped; says what is wrong with them. */
export async function integrityFaults(site: Site): Promise<string[]> {
  // A mount may remember sizes for so long.
  await sleep(4000)
  // One process prints all files, with a line before each.
  const { out } = await site.sh(
    `cd ${site.directory} && exec tail -v -n +1 status.record-* status.copy.json history.jsonl`,
  )
  const parts = out.split(/(?:^|\n)==> (.+) <==\n/).slice(1)
  const files = parts.flatMap((name, i) => (i % 2 === 0 ? [{ name, text: parts[i + 1] ?? '' }] : []))
  const segments = files.filter(({ name }) => /^status\.record-\d+\.jsonl$/.test(name))
  const setAside = files.filter(({ name }) => name.endsWith('.damaged')).map(({ name }) => name)
  // Version 0.1 has no record but a copy.
  const hasCopy = files.some(({ name }) => name === 'status.copy.json')
  const inRecord = hasCopy ? [] : recordFaults(segments)
  const history = files.find(({ name }) => name === 'history.jsonl')
  return [...setAside, ...inRecord, ...(history === undefined ? ['no history.jsonl'] : historyFaults(history.text))]
}

interface File {
  readonly name: string
  readonly text: string
}

function recordFaults(segments: readonly File[]): string[] {
  if (segments.length === 0) return ['no status.record-*.jsonl']
  const faults: string[] = []
  let last: number | undefined
  for (const { name, text } of segments.toSorted((one, other) => startOf(one) - startOf(other))) {
    for (const [i, line] of linesOf(text).entries()) {
      const at = `${name}, line ${i + 1}`
      const value = parsed(line)
      if (value === undefined) faults.push(`${at}: not whole`)
      else if (i === 0) {
        // A segment begins with the whole document of a generation, be that the last one or the next one.
        const { generation } = value
        if (typeof generation !== 'number' || !('document' in value)) faults.push(`${at}: no document`)
        else if (last !== undefined && generation !== last && generation !== last + 1) {
          faults.push(`${at}: generation ${generation} after ${last}`)
        }
        if (typeof generation === 'number') last = generation
      } else if (typeof value['placed'] !== 'number') {
        const { generation } = value
        if (generation !== (last ?? 0) + 1) faults.push(`${at}: generation ${String(generation)} after ${last}`)
        if (typeof generation === 'number') last = generation
      }
    }
  }
  return faults
}

function historyFaults(text: string): string[] {
  const lines = linesOf(text)
  const torn = lines.filter((line) => parsed(line) === undefined)
  const faults = torn.length === 0 ? [] : [`history.jsonl: ${torn.length} lines not whole`]
  const equal = lines.length - new Set(lines).size
  return equal === 0 ? faults : [...faults, `history.jsonl: ${equal} lines twice`]
}

/** The lines, and what follows the last end of a line as one that is not whole. */
function linesOf(text: string): string[] {
  const lines = text.split('\n')
  const rest = lines.pop()
  return rest === '' || rest === undefined ? lines : [...lines, `${rest} …`]
}

function parsed(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}

function startOf({ name }: File): number {
  return Number(/\d+/.exec(name)?.[0])
}
