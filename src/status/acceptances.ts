import type { Actor } from './document.ts'
import type { Draft } from './draft.ts'
import { type Outcome, limitFaults } from './json.ts'
import { Refusal } from './refusal.ts'
import { Rules, postedRuleFaults } from './rules.ts'
import { type AcceptedRule, PATTERN_MESSAGES, RULES_MAX, ruleSchema } from './schema.ts'
import { timeOf, toUtc } from './time.ts'
import { validator } from './validation.ts'

/** The most that all rules together may take in the file, as bytes of JSON without blanks. */
const RULES_BYTES_MAX = 4 * 1024 * 1024

/** The result for a posted rule. */
export interface AddedRule {
  /** `unchanged`: the document already has the same rule. */
  readonly result: 'added' | 'unchanged'
  readonly rule: AcceptedRule
  /** Number of targets that the rule is about. */
  readonly targets: number
}

/** Selects rules by what they say. A name that a rule leaves out is `*`. */
export type RuleSelector = Readonly<Partial<Record<'repo' | 'server' | 'file' | 'until' | 'reason', string>>>

/** There is no room for another rule. */
export class RulesFull extends Refusal {
  override readonly name = 'RulesFull'
}

const isRule = validator<AcceptedRule>(ruleSchema, PATTERN_MESSAGES)

/**
 * Checks a rule that was posted. Its times come back as UTC, whole seconds.
 *
 * @param body the parsed body
 * @param now milliseconds since the epoch
 */
export function readRule(body: unknown, now: number): Outcome<AcceptedRule> {
  const limits = limitFaults(body, RULES_MAX)
  if (limits.length > 0) return { ok: false, faults: limits }
  if (!isRule(body)) return { ok: false, faults: isRule.faults('') }
  const faults = postedRuleFaults(body, '', now)
  if (faults.length > 0) return { ok: false, faults }
  const from = body.from === undefined ? {} : { from: toUtc(body.from) }
  return { ok: true, value: { ...body, ...from, until: toUtc(body.until) } }
}

/** The rules in a draft, those that have ended included. */
export function rulesIn({ rules }: Draft): AcceptedRule[] {
  return rules.accepted.map(({ rule }) => rule)
}

/**
 * Adds a rule to the document.
 *
 * @throws {RulesFull}
 */
export function addRule(draft: Draft, rule: AcceptedRule, by: Actor): AddedRule {
  const before = rulesIn(draft)
  const about = new Rules([rule], [])
  const targets = [...draft.statuses()].filter((status) => about.about(status).length > 0).length
  const text = JSON.stringify(rule)
  if (before.some((each) => JSON.stringify(each) === text)) return { result: 'unchanged', rule, targets }
  const rules = [...before, rule]
  if (rules.length > RULES_MAX || Buffer.byteLength(JSON.stringify(rules)) > RULES_BYTES_MAX) {
    throw new RulesFull(`the document has ${before.length} rules and no room for another; remove ended rules`)
  }
  putRules(draft, rules, by)
  return { result: 'added', rule, targets }
}

/** Removes rules from the document. They cover nothing any more. */
export function endRules(draft: Draft, ended: ReadonlySet<AcceptedRule>, by: Actor): void {
  putRules(
    draft,
    rulesIn(draft).filter((rule) => !ended.has(rule)),
    by,
  )
  for (const rule of ended) if (timeOf(rule.until) > draft.clock.now) draft.noteEnded({ rule, by })
}

/** Reports whether a rule says what is selected. */
export function selects(selector: RuleSelector, rule: AcceptedRule): boolean {
  const { repo = '*', server = '*', file = '*', until, reason } = rule
  const values = new Map(Object.entries({ repo, server, file, until: toUtc(until), reason }))
  return Object.entries(selector).every(([name, wanted]) => wanted === undefined || values.get(name) === wanted)
}

function putRules(draft: Draft, accepted: readonly AcceptedRule[], by: Actor): void {
  draft.putHead({ ...draft.head, accepted }, { origin: 'accept', by })
}
