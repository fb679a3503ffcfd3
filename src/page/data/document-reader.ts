import { type LinkTemplates, linkTemplatesFor } from '../../views/links.ts'
import { type LinksReader, isRecord, readTarget, stringOf } from './read-target.ts'
import type { StatusDocument, Target } from './targets.ts'

/*
 * The text that the server writes: a beginning with the other properties, ENTRIES, FIRST, the entries with BETWEEN between
 * them, LAST, END.
 */
const ENTRIES = '\n  "statuses": ['
const FIRST = '\n    {'
const BETWEEN = '},\n    {'
const LAST = '}'
const END = '\n  ]\n}\n'

/** The largest distance that an entry may have moved, in entries, beyond those before it. Others are read again. */
const NEAR = 10

/**
 * Reads one text of `status.json` after another. An entry that is in the one before, to the letter, is not read again: its
 * target is the same object.
 */
export class DocumentReader {
  #links: string | undefined
  #texts: readonly string[] = []
  #targets: readonly (Target | undefined)[] = []

  /**
   * @throws {SyntaxError} if it is not JSON
   * @throws {TypeError} if it is not a status document
   */
  read(text: string): StatusDocument {
    return this.#readByEntry(text) ?? readDocument(JSON.parse(text))
  }

  /**
   * Reads a text as the server writes it; undefined if it is another.
   *
   * The result is that of the whole text, whatever it is: each entry must be JSON on its own, and so must be the rest with
   * no entry in the array. That array is the last property of the document, since nothing comes after it but END.
   */
  #readByEntry(text: string): StatusDocument | undefined {
    const begin = text.indexOf(ENTRIES + FIRST)
    if (begin === -1 || !text.endsWith(LAST + END)) return undefined
    const entries = text.slice(begin + ENTRIES.length + FIRST.length, -LAST.length - END.length).split(BETWEEN)
    try {
      const { generation, links } = headOf(JSON.parse(text.slice(0, begin) + ENTRIES + END))
      const targets = this.#readEntries(entries, links)
      return { generation, targets, unread: entries.length - targets.length }
    } catch {
      return undefined
    }
  }

  #readEntries(texts: readonly string[], links: unknown): Target[] {
    const linksOf = linksReader(links)
    const linksText = JSON.stringify(links)
    const before = linksText === this.#links ? this.#texts : []
    let shift = 0
    const targets = texts.map((text, index) => {
      const at = indexNear(before, text, index + shift)
      if (at === -1) return readTarget(JSON.parse(`{${text}}`), linksOf)
      shift = at - index
      return this.#targets[at]
    })
    this.#links = linksText
    this.#texts = texts
    this.#targets = targets
    return targets.filter((target) => target !== undefined)
  }
}

/** The index of a text in a list, at or near an index; -1 if it is not there. */
function indexNear(texts: readonly string[], text: string, index: number): number {
  const furthest = Math.min(NEAR, texts.length - 1)
  for (let distance = 0; distance <= furthest; distance += 1) {
    if (texts[index + distance] === text) return index + distance
    if (texts[index - distance] === text) return index - distance
  }
  return -1
}

/**
 * Reads `status.json`. A static copy may be read while it is being edited, so invalid entries are skipped.
 *
 * @throws {TypeError} if it is not a status document
 */
export function readDocument(value: unknown): StatusDocument {
  const { generation, links, statuses } = headOf(value)
  const linksOf = linksReader(links)
  const targets = statuses.flatMap((status) => readTarget(status, linksOf) ?? [])
  return { generation, targets, unread: statuses.length - targets.length }
}

interface Head {
  readonly generation: number | undefined
  readonly links: unknown
  readonly statuses: readonly unknown[]
}

/** @throws {TypeError} if it is not a status document */
function headOf(value: unknown): Head {
  if (!isRecord(value) || !Array.isArray(value['statuses'])) throw new TypeError('not a status document')
  const { generation, links, statuses } = value
  return { generation: typeof generation === 'number' ? generation : undefined, links, statuses }
}

/** Finds the link templates of a repository. */
function linksReader(value: unknown): LinksReader {
  const links = Object.fromEntries(
    Object.entries(isRecord(value) ? value : {}).map(([pattern, templates]) => [pattern, readTemplates(templates)]),
  )
  const found = new Map<string, LinkTemplates | undefined>()
  return (repo) => {
    if (!found.has(repo)) found.set(repo, linkTemplatesFor(repo, links))
    return found.get(repo)
  }
}

function readTemplates(value: unknown): LinkTemplates {
  return isRecord(value) ? { commit: stringOf(value['commit']), file: stringOf(value['file']) } : {}
}
