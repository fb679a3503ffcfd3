import { type ParseError, findNodeAtLocation, parseTree, printParseErrorCode, visit } from 'jsonc-parser'

/** One thing that is wrong with an input: where, as a JSON Pointer (RFC 6901, `''` is the whole), and what was expected. */
export interface Fault {
  readonly pointer: string
  readonly detail: string
}

/** A fault in a text that a person wrote; `line` and `column` count from 1, columns in UTF-16 units as editors do. */
export interface LocatedFault extends Fault {
  readonly line: number
  readonly column: number
}

/** What came of reading an input: its value, or everything that is wrong with it. */
export type Outcome<T, F extends Fault = Fault> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly faults: readonly F[] }

/** Deep enough for what people write; JSON.stringify would overflow the stack at some thousands. */
const NESTING_MAX = 32
/** How many faults of one text are told with their places. */
const FAULTS_MAX = 100

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** A fault on one line, as compilers tell theirs. `whole` stands for the empty pointer. */
export function lineOf(file: string, { line, column, pointer, detail }: LocatedFault, whole: string): string {
  return `${file}:${line}:${column} ${pointer === '' ? whole : pointer}: ${detail}`
}

/** Appends one member name or array index to a JSON Pointer. */
export function pointTo(pointer: string, member: string | number): string {
  return `${pointer}/${String(member).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

/** Reads UTF-8 JSON; a byte order mark in front is taken for what it is. The value is not looked into. */
export function parseJson(bytes: Uint8Array): Outcome<{ value: unknown; text: string }, LocatedFault> {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    return { ok: false, faults: [{ pointer: '', line: 1, column: 1, detail: 'must be UTF-8 text' }] }
  }
  try {
    return { ok: true, value: { value: JSON.parse(text), text } }
  } catch (error) {
    return { ok: false, faults: [syntaxFault(text, error)] }
  }
}

function syntaxFault(text: string, error: unknown): LocatedFault {
  const errors: ParseError[] = []
  try {
    visit(text, { onError: (code, offset, length) => errors.push({ error: code, offset, length }) }, STRICT)
  } catch {
    // Nested deeper than the parser's own stack: what JSON.parse said has to do.
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

/** What no schema can say: how deep, how many, and whether every number survives being read. */
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
          // Most values are short strings, which have no limit to break.
          if (typeof child !== 'string') {
            waiting.push({ value: child, pointer: pointTo(pointer, member), depth: depth + 1 })
          }
        }
      }
    }
  }
  return faults.toReversed()
}

/** Members that stand twice in one object: JSON.parse would silently keep the last. */
export function duplicateFaults(text: string): LocatedFault[] {
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
        faults.push({ pointer, ...positionOf(offset), detail: 'must stand only once in its object' })
      }
      names?.add(name)
    },
  })
  return faults
}

/** Finds the line and column of each fault in the text that it was found in; of the first hundred, where there are more. */
export function locate(text: string, faults: readonly Fault[]): LocatedFault[] {
  const tree = parseTree(text)
  const positionOf = positions(text)
  return faults.slice(0, FAULTS_MAX).map((fault) => {
    const path = fault.pointer
      .split('/')
      .slice(1)
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    // A member that is missing is looked for where it should stand: in its object.
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

/** Tells the line and column of offsets in a text, going through the text only once. */
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
