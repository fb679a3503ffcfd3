import { distance } from 'fastest-levenshtein'
import { type Head, type StatusDocument, findEntry } from './document.ts'
import { type Fault, pointTo } from './json.ts'
import { type Status, documentSchema, fileProperties, fileStampProperties, statusSchema } from './schema.ts'
import type { Target } from './target.ts'

/** Names shorter than this are alike only if a single letter differs. */
const LONG = 5

const DOCUMENT_NAMES = new Set(Object.keys(documentSchema.properties))
const STATUS_NAMES = new Set(Object.keys(statusSchema.properties))
const FILE_NAMES = new Set(Object.keys({ ...fileProperties, ...fileStampProperties }))

/** A document, as it is saved or as it is kept. */
interface Properties {
  readonly [name: string]: unknown
}

interface WithFiles extends Properties {
  readonly files: readonly Properties[]
}

/** The unknown properties of a document that are one or two letters from a known one and may be mistyped. */
export function nearMissesIn(document: Properties & { readonly statuses: readonly WithFiles[] }): Fault[] {
  return [
    ...nearMisses(document, '', DOCUMENT_NAMES),
    ...document.statuses.flatMap((status, index) => nearMissesInStatus(status, pointTo('/statuses', index))),
  ]
}

/** A property that may be mistyped, with its place in the document. */
export interface NearMiss extends Fault {
  /** `undefined`: at the top. */
  readonly target: Target | undefined
}

/** The near-misses that a document has and the one before had not. Costs as much as what has changed. */
export function newNearMisses(before: StatusDocument, after: StatusDocument, changed: Iterable<Target>): NearMiss[] {
  const inHead = before.head === after.head ? [] : added(headMisses(before.head), headMisses(after.head))
  const atTop = inHead.map((fault) => ({ ...fault, target: undefined }))
  const inEntries = [...changed].flatMap((target) => {
    const found = statusMisses(findEntry(after, target)?.status)
    if (found.length === 0) return []
    const { repo, server } = target
    const isNew = added(statusMisses(findEntry(before, target)?.status), found)
    return isNew.map((fault) => ({ ...fault, target: { repo, server } }))
  })
  return [...atTop, ...inEntries]
}

function headMisses(head: Head): Fault[] {
  return nearMisses(head, '', DOCUMENT_NAMES)
}

function statusMisses(status: Status | undefined): Fault[] {
  return status === undefined ? [] : nearMissesInStatus(status, '')
}

function added(before: readonly Fault[], after: readonly Fault[]): Fault[] {
  return after.filter(({ pointer }) => !before.some((each) => each.pointer === pointer))
}

function nearMissesInStatus(status: WithFiles, pointer: string): Fault[] {
  const ofFiles = status.files.flatMap((file, index) => nearMisses(file, `${pointer}/files/${index}`, FILE_NAMES))
  return [...nearMisses(status, pointer, STATUS_NAMES), ...ofFiles]
}

function nearMisses(properties: Properties, pointer: string, known: ReadonlySet<string>): Fault[] {
  return Object.keys(properties).flatMap((name) => {
    if (known.has(name)) return []
    const meant = likelyMeant(name, known)
    return meant === undefined
      ? []
      : [{ pointer: pointTo(pointer, name), detail: `is not known; did you mean ${meant}?` }]
  })
}

/** Unknown names to remember: those of one client are in all of its targets. */
const REMEMBERED_MAX = 1000
const remembered = new Map<ReadonlySet<string>, Map<string, string | undefined>>()

/** The known name that an unknown one is like. */
function likelyMeant(name: string, known: ReadonlySet<string>): string | undefined {
  const answers = remembered.get(known) ?? new Map<string, string | undefined>()
  if (!answers.has(name)) {
    if (answers.size >= REMEMBERED_MAX) answers.clear()
    answers.set(
      name,
      [...known].find((each) => isAlike(name, each)),
    )
    remembered.set(known, answers)
  }
  return answers.get(name)
}

function isAlike(name: string, known: string): boolean {
  // The distance takes time proportional to both lengths.
  if (Math.abs(name.length - known.length) > 2) return false
  const letters = distance(plain(name), plain(known))
  return letters <= (Math.min(name.length, known.length) < LONG ? 1 : 2)
}

/** A name without what people mix up between programs: upper case, dashes, underscores. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_ ]/g, '')
}
