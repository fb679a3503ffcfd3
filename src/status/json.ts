import { type ParseError, findNodeAtLocation, parseTree, printParseErrorCode, visit } from 'jsonc-parser'

/** A fault of an input: its place as a JSON Pointer (RFC 6901; `''` is the whole), and the expectation. */
export interface Fault {
  readonly pointer: string
  readonly detail: string
}

/** A fault with its place in a text. `line` and `column` start at 1; columns are UTF-16 code units, as in editors. */
export interface LocatedFault extends Fault {
  readonly line: number
  readonly column: number
}

/** The result of reading an input: its value, or all of its faults. */
export type Outcome<T, F extends Fault = Fault> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly faults: readonly F[] }

/** The deepest nesting. JSON.stringify overflows the stack at some thousands. */
const NESTING_MAX = 32
/** The largest number of faults that are located in one text. */
const FAULTS_MAX = 100

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Formats a fault on one line, as compilers do. `whole` is printed for the empty pointer. */
export function lineOf(file: string, { line, column, pointer, detail }: LocatedFault, whole: string): string {
  return `${file}:${line}:${column} ${pointer === '' ? whole : pointer}: ${detail}`
}

/** Appends a property name or an array index to a JSON Pointer. */
export function pointTo(pointer: string, member: string | number): string {
  return `${pointer}/${String(member).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

/** Parses UTF-8 JSON, with or without a byte order mark. The value itself is not checked. */
export function parseJson(bytes: Uint8Array): Outcome<{ value: unknown; text: string }, LocatedFault> {
  const text = decode(bytes)
  if (!text.ok) return text
  const parsed = parseText(text.value)
  return parsed.ok ? { ok: true, value: { value: parsed.value, text: text.value } } : parsed
}

/** Decodes UTF-8, without a byte order mark. */
export function decode(bytes: Uint8Array): Outcome<string, LocatedFault> {
  try {
    return { ok: true, value: utf8.decode(bytes) }
  } catch {
    return { ok: false, faults: [{ pointer: '', line: 1, column: 1, detail: 'must be UTF-8 text' }] }
  }
}

/** Parses JSON. The value itself is not checked. */
export function parseText(text: string): Outcome<unknown, LocatedFault> {
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch (error) {
    return { ok: false, faults: [syntaxFault(text, error)] }
  }
}

function syntaxFault(text: string, error: unknown): LocatedFault {
  const errors: ParseError[] = []
  try {
    visit(text, { onError: (code, offset, length) => errors.push({ error: code, offset, length }) }, STRICT)
  } catch {
    // Nested deeper than the parser's stack. The message of JSON.parse is used.
  }
  const [first] = errors
  if (first === undefined) {
    const reason = error instanceof Error ? error.message : String(error)
    return { pointer: '', line: 1, column: 1, detail: `must be JSON: ${reason}` }
  }
  const what = printParseErrorCode(first.error)
    .replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toLowerCase()
  return { pointer: '', ...positions(text)(first.offset), detail: `must be JSON: ${what}` }
}

const STRICT = { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false }

/** Faults that a schema cannot express: the depth, the number of items, and numbers that lose digits. */
export function limitFaults(root: unknown, itemsMax: number): Fault[] {
  const faults: Fault[] = []
  const waiting = [{ value: root, pointer: '', depth: 1 }]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, pointer, depth } = next
    if (typeof value === 'number') {
      if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
        faults.push({ pointer, detail: 'must be a number within ±(2^53 − 1), or a string: its digits would be lost' })
      }
    } else if (typeof value === 'object' && value !== null) {
      if (depth > NESTING_MAX) {
        faults.push({ pointer, detail: `must not be nested deeper than ${NESTING_MAX} levels` })
      } else if (Array.isArray(value) && value.length > itemsMax) {
        faults.push({ pointer, detail: `must not have more than ${itemsMax} items` })
      } else {
        for (const [member, child] of Object.entries(value)) {
          // Strings have no limits. Most values are strings.
          if (typeof child !== 'string') {
            waiting.push({ value: child, pointer: pointTo(pointer, member), depth: depth + 1 })
          }
        }
      }
    }
  }
  return faults.toReversed()
}

/**
 * Duplicate keys in an object, of which JSON.parse silently keeps the last.
 *
 * @param value what JSON.parse has made of the text
 */
export function duplicateFaults(text: string, value: unknown): LocatedFault[] {
  // A visit takes many times as long as counting.
  // On Node 24 the count has missed duplicates whose keys have escapes; such texts are visited.
  return !text.includes('\\') && countKeys(value) === countKeysIn(text) ? [] : duplicatesIn(text)
}

function countKeys(root: unknown): number {
  let count = 0
  const waiting = [root]
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (typeof value !== 'object' || value === null) continue
    const members: unknown[] = Object.values(value)
    if (!Array.isArray(value)) count += members.length
    for (const member of members) if (typeof member === 'object') waiting.push(member)
  }
  return count
}

/** The strings of a JSON text that a colon follows. Takes time proportional to its length, whatever its strings hold. */
function countKeysIn(text: string): number {
  let count = 0
  for (let begin = text.indexOf('"'); begin !== -1;) {
    const next = afterBlanks(text, closingQuote(text, begin) + 1)
    if (text[next] === ':') count += 1
    begin = text.indexOf('"', next)
  }
  return count
}

/** The place of the quote that ends the string that begins at a place; -1 if it does not end. */
function closingQuote(text: string, begin: number): number {
  let end = text.indexOf('"', begin + 1)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

/** True if the character at a place follows an odd number of backslashes. */
function isEscaped(text: string, at: number): boolean {
  let from = at
  while (text[from - 1] === '\\') from -= 1
  return (at - from) % 2 === 1
}

/** The first place from a place on that is not a blank of JSON. */
export function afterBlanks(text: string, at: number): number {
  let next = at
  while (isBlank(text.charCodeAt(next))) next += 1
  return next
}

/** The blanks of JSON. */
function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}

/** The place behind the object or array that begins at a place of JSON; `undefined` if the text ends before it does. */
export function endOfValue(text: string, begin: number): number | undefined {
  let depth = 0
  for (let at = begin; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      at = closingQuote(text, at)
      if (at === -1) return undefined
    } else if (isOpening(code)) {
      depth += 1
    } else if (isClosing(code)) {
      depth -= 1
      if (depth === 0) return at + 1
    }
  }
  return undefined
}

/** The place behind the bracket that opens the array of a property at the top of JSON; `undefined` if there is none. */
export function beginOfArray(text: string, name: string): number | undefined {
  const key = JSON.stringify(name)
  let depth = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = closingQuote(text, at) + 1
      if (end === 0) return undefined
      if (depth === 1 && text.slice(at, end) === key) {
        // Behind the colon; behind a value, a comma and a key follow.
        const value = afterBlanks(text, afterBlanks(text, end) + 1)
        if (text[value] === '[') return value + 1
      }
      at = end - 1
    } else if (isOpening(code)) {
      depth += 1
    } else if (isClosing(code)) {
      depth -= 1
    }
  }
  return undefined
}

const QUOTE = 0x22

function isOpening(code: number): boolean {
  return code === 0x7b || code === 0x5b
}

function isClosing(code: number): boolean {
  return code === 0x7d || code === 0x5d
}

function duplicatesIn(text: string): LocatedFault[] {
  const faults: LocatedFault[] = []
  const open: Set<string>[] = []
  const positionOf = positions(text)
  visit(text, {
    onObjectBegin: () => {
      open.push(new Set())
    },
    onObjectEnd: () => {
      open.pop()
    },
    onObjectProperty: (name, offset, _length, _line, _column, pathTo) => {
      const names = open.at(-1)
      if (names?.has(name) === true && faults.length < FAULTS_MAX) {
        const pointer = [...pathTo(), name].reduce(pointTo, '')
        faults.push({ pointer, ...positionOf(offset), detail: 'must not be a duplicate key' })
      }
      names?.add(name)
    },
  })
  return faults
}

/** Adds the line and column of each fault in its text. Keeps the first hundred. */
export function locate(text: string, faults: readonly Fault[]): LocatedFault[] {
  const tree = parseTree(text)
  const positionOf = positions(text)
  return faults.slice(0, FAULTS_MAX).map((fault) => {
    const path = fault.pointer
      .split('/')
      .slice(1)
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    // A missing property has no place. Its object has one.
    for (let length = path.length; length >= 0; length -= 1) {
      const node = tree && findNodeAtLocation(tree, segments(path.slice(0, length)))
      if (node !== undefined) return { ...fault, ...positionOf(node.offset) }
    }
    return { ...fault, line: 1, column: 1 }
  })

  function segments(path: string[]): (string | number)[] {
    const found: (string | number)[] = []
    for (const part of path) {
      const parent = tree === undefined ? undefined : findNodeAtLocation(tree, found)
      found.push(parent?.type === 'array' ? Number(part) : part)
    }
    return found
  }
}

/** Converts offsets in a text to lines and columns, after one pass over the text. */
function positions(text: string): (offset: number) => { line: number; column: number } {
  const lineStarts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lineStarts.push(at + 1)
  return (offset) => {
    let low = 0
    let high = lineStarts.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if ((lineStarts[middle] ?? Infinity) <= offset) low = middle
      else high = middle
    }
    return { line: low + 1, column: offset - (lineStarts[low] ?? 0) + 1 }
  }
}
