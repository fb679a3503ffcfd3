import { globMatcher } from '../status/glob.ts'
import { LINK_PLACEHOLDERS } from '../status/placeholders.ts'

/** The pages of a repository: templates with the placeholders `{repo}`, `{server}`, `{branch}`, `{commit}` and `{file}`. */
export interface LinkTemplates {
  readonly commit?: string | undefined
  readonly file?: string | undefined
}

/** The values that a template may name. A missing or empty value gives no link. */
export type LinkValues = Readonly<Partial<Record<(typeof LINK_PLACEHOLDERS)[number], string | undefined>>>

/**
 * The templates for a repository: those of the first pattern that matches its name.
 *
 * @param links by pattern, in the order of the document. JavaScript puts names that are integers first.
 */
export function linkTemplatesFor(
  repo: string,
  links: Readonly<Record<string, LinkTemplates>>,
): LinkTemplates | undefined {
  return Object.entries(links).find(([pattern]) => globMatcher(pattern)(repo))?.[1]
}

/** The scheme and the authority, which no value may change. URL parsers take a backslash for a slash. */
const ORIGIN = /^https?:\/\/[^/\\?#{}]+(?=[/\\?#])/i
/** URL parsers drop some of them, which would join the text on both sides. */
const CONTROL = /\p{Cc}/u
const PLACEHOLDER = /\{([^{}]*)\}/g
/** `.` and `..` between separators, also percent-encoded: URL parsers resolve them. */
const DOT_SEGMENT = /(?:^|[/\\?#&=])(?:\.|%2e){1,2}(?:$|[/\\?#&=])/i

/**
 * Puts values into a template. Each value is encoded, so that it stays in its place: it cannot change the origin, add a
 * query or a fragment, or leave the path. Only `{file}` and `{branch}` keep their slashes.
 *
 * @returns an http or https address; `undefined` if a value is missing or cannot be put into an address, or if the
 * template is not valid
 */
export function linkTo(template: string, values: LinkValues): string | undefined {
  const [origin] = ORIGIN.exec(template) ?? []
  if (origin === undefined || CONTROL.test(template)) return undefined
  const known = new Map<string, string | undefined>(LINK_PLACEHOLDERS.map((name) => [name, values[name]]))
  let complete = true
  const address = template.replace(PLACEHOLDER, (_, name: string) => {
    const value = encoded(known.get(name) ?? '', name === 'file' || name === 'branch')
    complete &&= value !== ''
    return value
  })
  if (!complete || /[{}]/.test(address) || DOT_SEGMENT.test(address.slice(origin.length))) return undefined
  return URL.canParse(address) ? new URL(address).href : undefined
}

/** Empty if the value cannot be encoded: half of a surrogate pair. */
function encoded(value: string, keepsSlashes: boolean): string {
  try {
    return keepsSlashes ? value.split('/').map(encodeURIComponent).join('/') : encodeURIComponent(value)
  } catch {
    return ''
  }
}
