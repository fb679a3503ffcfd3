import MarkdownIt from 'markdown-it'

/**
 * A code block of a page. An HTML comment right before the block says how it is run:
 *
 * - `<!-- output -->`: the block shows what the commands above it print. `…` stands for anything.
 * - `<!-- terminal -->`: the commands go on running, in a terminal of their own, until the page ends.
 * - `<!-- exit 1 -->`: the first command that fails has this exit code.
 * - `<!-- not run: REASON -->`: the commands cannot be run by a test.
 */
export interface Block {
  readonly language: string
  readonly text: string
  /** Line of the page on which the block begins, from 1. */
  readonly line: number
  readonly note: Note
}

type Note =
  | { readonly kind: 'plain' }
  | { readonly kind: 'output' }
  | { readonly kind: 'terminal' }
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'not-run'; readonly reason: string }
  /** What the reader has before the page begins, such as a server that runs. It is no block but a comment: readers do not see it. */
  | { readonly kind: 'setup' }

/** The code blocks of a page in Markdown, and the commands in its comments `<!-- setup … -->`, in order. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = []
  let note: Note = { kind: 'plain' }
  for (const token of new MarkdownIt({ html: true }).parse(page, {})) {
    const line = (token.map?.[0] ?? 0) + 1
    if (token.type === 'html_block') {
      const setup = /^<!-- setup\n([^]*?)-->/.exec(token.content)
      if (setup !== null) blocks.push({ language: 'sh', text: setup[1] ?? '', line, note: { kind: 'setup' } })
      note = noteOf(token.content) ?? { kind: 'plain' }
    } else if (token.type === 'fence') {
      blocks.push({ language: token.info.trim(), text: token.content.trimEnd(), line, note })
      note = { kind: 'plain' }
    } else if (token.type === 'inline') note = { kind: 'plain' }
  }
  return blocks
}

function noteOf(comment: string): Note | undefined {
  if (/<!-- output -->/.test(comment)) return { kind: 'output' }
  if (/<!-- terminal -->/.test(comment)) return { kind: 'terminal' }
  const [, code] = /<!-- exit (\d+) -->/.exec(comment) ?? []
  if (code !== undefined) return { kind: 'exit', code: Number(code) }
  const [, reason] = /<!-- not run: ([^]+?) -->/.exec(comment) ?? []
  return reason === undefined ? undefined : { kind: 'not-run', reason: reason.replaceAll(/\s+/g, ' ') }
}

/** Compares what commands have printed with what a page shows. Returns the difference, or `undefined` if it is the same. */
export function difference(shown: Block, printed: string): { shown: unknown; printed: unknown } | undefined {
  if (shown.language === 'json') {
    const values = { shown: JSON.parse(shown.text) as unknown, printed: parsed(printed) }
    return isLike(values.printed, values.shown) ? undefined : values
  }
  const lines = shown.text.split('\n').map((line) => (line.trim() === '…' ? '(?:.*\n)*' : `${textPattern(line)}\n`))
  const isSame = new RegExp(`^${lines.join('')}$`).test(`${printed.trimEnd()}\n`)
  return isSame ? undefined : { shown: shown.text, printed }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function textPattern(text: string): string {
  return text
    .trimEnd()
    .split('…')
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*')
}

/** Reports whether a value is the one that is shown. A string with `…` is a pattern; a key `…` stands for more keys. */
function isLike(value: unknown, shown: unknown): boolean {
  if (typeof shown === 'string' && shown.includes('…'))
    return new RegExp(`^${textPattern(shown)}$`, 's').test(String(value))
  if (Array.isArray(shown) && Array.isArray(value)) {
    const isOpen = shown.at(-1) === '…'
    const expected: unknown[] = isOpen ? shown.slice(0, -1) : shown
    if (isOpen ? value.length < expected.length : value.length !== expected.length) return false
    return expected.every((each, index) => isLike(value[index], each))
  }
  if (isObject(shown) && isObject(value)) {
    const { '…': more, ...expected } = shown
    const keys = Object.keys(expected)
    if (more === undefined && keys.length !== Object.keys(value).length) return false
    return keys.every((key) => Object.hasOwn(value, key) && isLike(value[key], expected[key]))
  }
  return value === shown
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
