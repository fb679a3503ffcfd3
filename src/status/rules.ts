import { type Matcher, globMatcher, hasWildcards } from './glob.ts'
import { type Fault, pointTo } from './json.ts'
import { type AcceptedRule, headSchema } from './schema.ts'
import { type Target, keyOf } from './target.ts'
import { formatTime, timeOf } from './time.ts'
import { validator } from './validation.ts'

/** A rule of `accepted`, ready to be applied. */
export interface Acceptance {
  readonly rule: AcceptedRule
  /** In ms since the epoch. The rule is in force from `from` on, and no longer at `until`. */
  readonly from: number
  readonly until: number
  readonly matchesRepo: Matcher
  readonly matchesServer: Matcher
  readonly matchesFile: Matcher
}

const NONE: readonly Acceptance[] = []

/** The properties at the top of the document that affect targets: `accepted` and `expected`. */
export class Rules {
  /** In the order of the file. */
  readonly accepted: readonly Acceptance[]
  /** The targets that must report, by key. */
  readonly expected: ReadonlyMap<string, Target>
  /** The rules that name their repository; all others are under `undefined`. */
  readonly #byRepo: ReadonlyMap<string | undefined, readonly Acceptance[]>

  constructor(rules: readonly AcceptedRule[], expected: Iterable<Target>) {
    this.accepted = rules.map(acceptanceOf)
    this.#byRepo = groupedByRepo(this.accepted)
    this.expected = new Map([...expected].map((target) => [keyOf(target), target]))
  }

  /** The rules about a target, whatever the time and the file. */
  about({ repo, server }: Target): readonly Acceptance[] {
    if (this.accepted.length === 0) return NONE
    const named = this.#byRepo.get(repo) ?? []
    const others = this.#byRepo.get(undefined) ?? []
    return [...named, ...others].filter((each) => each.matchesServer(server) && each.matchesRepo(repo))
  }

  /** True if a target must report. */
  expects(target: Target): boolean {
    return this.expected.size > 0 && this.expected.has(keyOf(target))
  }

  /** The rules that are only here or only there. */
  changesFrom(before: Rules): Rules {
    return new Rules([...missingIn(before, this), ...missingIn(this, before)], [])
  }

  /** The first end of a rule after a time; `Infinity` if there is none. Both in ms since the epoch. */
  firstEndAfter(time: number): number {
    return this.accepted.reduce((first, { until }) => (until > time && until < first ? until : first), Infinity)
  }

  /** The rules that have ended after a time, up to another one. Both in ms since the epoch. */
  endedBetween(after: number, upTo: number): AcceptedRule[] {
    return this.accepted.flatMap(({ rule, until }) => (until > after && until <= upTo ? rule : []))
  }
}

/** The rules of a document that has none. */
export const NO_RULES = new Rules([], [])

const known = new WeakMap<object, Rules>()
const hasRules = validator<{
  accepted?: readonly AcceptedRule[]
  expected?: readonly { readonly repo: string; readonly servers: readonly string[] }[]
}>(headSchema)

/** The rules at the top of a document. They are made once for each head, which is never changed. */
export function rulesOf(head: Readonly<Record<string, unknown>>): Rules {
  const { accepted, expected } = head
  if (accepted === undefined && expected === undefined) return NO_RULES
  const rules = known.get(head) ?? compiled(head)
  known.set(head, rules)
  return rules
}

function compiled(head: Readonly<Record<string, unknown>>): Rules {
  // A version that did not know these properties has committed whatever they were.
  if (!hasRules(head)) return NO_RULES
  const targets = head.expected?.flatMap(({ repo, servers }) => servers.map((server) => ({ repo, server })))
  return new Rules(head.accepted ?? [], targets ?? [])
}

function acceptanceOf(rule: AcceptedRule): Acceptance {
  const { repo = '*', server = '*', file = '*', from, until } = rule
  return {
    rule,
    from: from === undefined ? -Infinity : timeOf(from),
    until: timeOf(until),
    matchesRepo: globMatcher(repo),
    matchesServer: globMatcher(server),
    matchesFile: globMatcher(file),
  }
}

/** The longest time from now to the end of a rule, in ms: a person must review it within a year. */
const AHEAD_MAX_MS = 366 * 86_400_000
/** A clock that is set back must not make a rule invalid that was valid. */
const CLOCK_SLACK_MS = 2 * 86_400_000

/** The faults of a rule in the file that the schema does not find. */
export function savedRuleFaults(rule: AcceptedRule, pointer: string, now: number): Fault[] {
  return ruleFaults(rule, pointer, now + AHEAD_MAX_MS + CLOCK_SLACK_MS)
}

/** The faults of a posted rule that the schema does not find. */
export function postedRuleFaults(rule: AcceptedRule, pointer: string, now: number): Fault[] {
  const faults = ruleFaults(rule, pointer, now + AHEAD_MAX_MS)
  if (timeOf(rule.until) > now) return faults
  const detail = `must be later than now: the server's clock is at ${formatTime(now)}`
  return [...faults, { pointer: pointTo(pointer, 'until'), detail }]
}

function ruleFaults({ from, until }: AcceptedRule, pointer: string, latest: number): Fault[] {
  const end = timeOf(until)
  const faults: Fault[] = []
  if (end > latest) faults.push({ pointer: pointTo(pointer, 'until'), detail: 'must not be more than one year ahead' })
  if (from !== undefined && timeOf(from) >= end) {
    faults.push({ pointer: pointTo(pointer, 'from'), detail: 'must be earlier than until' })
  }
  return faults
}

/** The rules of one that the other does not have. */
function missingIn(one: Rules, other: Rules): AcceptedRule[] {
  const texts = new Set(one.accepted.map(({ rule }) => JSON.stringify(rule)))
  return other.accepted.flatMap(({ rule }) => (texts.has(JSON.stringify(rule)) ? [] : rule))
}

function groupedByRepo(accepted: readonly Acceptance[]): Map<string | undefined, Acceptance[]> {
  const groups = new Map<string | undefined, Acceptance[]>()
  for (const each of accepted) {
    const { repo: name } = each.rule
    const repo = name === undefined || hasWildcards(name) ? undefined : name
    const group = groups.get(repo) ?? []
    group.push(each)
    groups.set(repo, group)
  }
  return groups
}
