import type { RequestHandler } from 'express'
import type { FromSchema } from 'json-schema-to-ts'
import type { Logger } from 'pino'
import { RulesFull, addRule, endRules, readRule, rulesIn, selects } from '../status/acceptances.ts'
import { duplicateFaults } from '../status/json.ts'
import { rulesOf } from '../status/rules.ts'
import type { AcceptedRule } from '../status/schema.ts'
import type { Target } from '../status/target.ts'
import { toUtc, parseTime } from '../status/time.ts'
import { validator } from '../status/validation.ts'
import type { Store } from '../store/store.ts'
import type { Access } from './access.ts'
import { invalidBody, readJson, receiveJson } from './body.ts'
import { JSON_HEADERS } from './headers.ts'
import { Problem } from './problems.ts'
import { requestIdOf } from './request.ts'

const name = (description: string) => ({ type: 'string', minLength: 1, description }) as const

/** `?repo=&server=&file=&until=&reason=`: what the rules say that are to end. */
export const ruleQuerySchema = {
  type: 'object',
  properties: {
    repo: name('The repo of the rule, character for character; * if the rule has none.'),
    server: name('The server of the rule, character for character; * if the rule has none.'),
    file: name('The file of the rule, character for character; * if the rule has none.'),
    until: name('The end of the rule: ISO 8601 with a zone.'),
    reason: name('The reason of the rule, character for character.'),
  },
  minProperties: 1,
  additionalProperties: false,
} as const

type RuleQuery = FromSchema<typeof ruleQuerySchema>

const isRuleQuery = validator<RuleQuery>(ruleQuerySchema)

/** Lists the rules, those that have ended included, in the order of the file. */
export function listAccepted(store: Pick<Store, 'published'>): RequestHandler {
  return (req, res) => {
    if (Object.keys(req.query).length > 0) throw new Problem('invalid-query', 'expected no parameters')
    const rules = rulesOf(store.published.document.head).accepted.map(({ rule }) => rule)
    res.set(JSON_HEADERS).send(`${JSON.stringify(rules, null, 2)}\n`)
  }
}

/** Adds a rule to the document. Answers once it is safely on disk: 201 if the rule is new. */
export function addAccepted(store: Pick<Store, 'submit'>, access: Access, log: Logger): RequestHandler[] {
  return [
    ...receiveJson(),
    async (req, res) => {
      const { value, text } = readJson(req.body)
      const read = readRule(value, Date.now())
      const faults = read.ok ? duplicateFaults(text, value) : read.faults
      if (!read.ok || faults.length > 0) throw invalidBody('invalid-rule', faults)
      access.permit(req, 'accept', [aboutOf(read.value)])
      const by = access.actorOf(req)
      const named = read.value.by ?? by.token
      const rule = named === undefined ? read.value : { ...read.value, by: named }
      const added = await store.submit((draft) => {
        try {
          return addRule(draft, rule, by)
        } catch (error) {
          throw error instanceof RulesFull ? new Problem('document-full', error.message) : error
        }
      })
      log.info({ request: requestIdOf(req), ...by, ...added }, 'accepted')
      res.status(added.result === 'added' ? 201 : 200).json(added)
    },
  ]
}

/** Removes the rules that say what is given. Answers with them. */
export function endAccepted(store: Pick<Store, 'submit'>, access: Access, log: Logger): RequestHandler {
  return async (req, res) => {
    const selector = readRuleQuery(req.query)
    const by = access.actorOf(req)
    const ended = await store.submit((draft) => {
      const rules = rulesIn(draft).filter((rule) => selects(selector, rule))
      access.permit(req, 'accept', rules.map(aboutOf))
      if (rules.length === 0) throw new Problem('rule-not-found', 'no rule has these values; nothing was changed')
      endRules(draft, new Set(rules), by)
      return rules
    })
    log.info({ request: requestIdOf(req), ...by, ended }, 'no longer accepted')
    res.json({ ended })
  }
}

function readRuleQuery(query: unknown): RuleQuery {
  if (!isRuleQuery(query)) {
    const detail = 'expected one or more of repo, server, file, until and reason, each once and not empty'
    throw new Problem('invalid-query', detail, { faults: isRuleQuery.faults('') })
  }
  const { until } = query
  if (until === undefined) return query
  if (parseTime(until) !== undefined) return { ...query, until: toUtc(until) }
  const fault = { pointer: '/until', detail: 'must be an ISO 8601 time with a zone, such as 2026-04-21T10:32:15Z' }
  throw new Problem('invalid-query', 'until is not a time', { faults: [fault] })
}

/** The targets that a rule is about, as globs. */
function aboutOf({ repo = '*', server = '*' }: AcceptedRule): Target {
  return { repo, server }
}
