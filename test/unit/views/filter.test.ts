import fc from 'fast-check'
import t from 'tap'
import { matchesGlob } from '../../../src/status/glob.ts'
import { NAME_LENGTH_MAX, STATES } from '../../../src/status/schema.ts'
import { CONDITIONS_MAX, type Filterable, VALUE_LENGTH_MAX, readFilter } from '../../../src/views/filter.ts'
import { ALTERNATIVES_MAX, WILDCARDS_MAX } from '../../../src/views/names.ts'

const TARGET: Filterable = { repo: 'rsyslog', server: 'web-1', state: 'drifted' }

function matches(query: object, over: Partial<Filterable> = {}): boolean {
  const outcome = readFilter(query)
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults))
  return outcome.value({ ...TARGET, ...over })
}

/** The pointers of the faults of a query. */
function faultsOf(query: object): string[] {
  const outcome = readFilter(query)
  return outcome.ok ? [] : [...new Set(outcome.faults.map(({ pointer }) => pointer))]
}

/** Reports whether a name matches, as the server of a target. */
const named = (pattern: string | string[], name: string): boolean => matches({ server: pattern }, { server: name })

const anyText = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '{', '}', ',', '🦀'), maxLength: 12 })
const anyPart = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '🦀'), maxLength: 4 })
const anyPlain = fc.string({ unit: fc.constantFrom('a', 'b', '🦀'), maxLength: 6 })

t.test('names: globs, alternatives, repeated', async (t) => {
  t.ok(named('*', 'web-1'))
  t.ok(named('web-?', 'web-1'))
  t.notOk(named('web-?', 'web-12'))
  t.ok(named('{db,web}-{1,2}', 'web-2'))
  t.notOk(named('{db,web}-{1,2}', 'web-3'))
  t.ok(named('{db,web-*}', 'web-3'))
  t.ok(named('{db,{web,app}-1}', 'app-1'), 'nested')
  t.notOk(named('{db,{web,app}-1}', 'db-1'))
  t.ok(named(['db', 'web-*'], 'web-1'))
  t.notOk(named(['db', 'app'], 'web-1'))
  t.notOk(named('web', 'web-1'), 'all of the name')
  t.notOk(named('WEB-1', 'web-1'))
  t.ok(named('a{1}', 'a{1}'), 'braces without a comma are text')
  t.notOk(named('a{1}', 'a1'))
  t.ok(named('{a', '{a'))
  t.ok(named('{a,b}', '{a,b}'), 'a name that looks like a pattern is found by itself')
  t.notOk(named('{,}', 'web-1'), 'an empty alternative is an empty name, not all')
  t.ok(named('{,web}-1', '-1'))
})

t.test('all parameters have to match; an empty one matches all', async (t) => {
  const labels = { env: 'prod' }
  const query = { repo: 'rsys*', server: 'web-*', state: 'drifted', label: 'env=prod' }
  t.ok(matches(query, { labels }))
  for (const other of [{ repo: 'nginx' }, { server: 'db' }, { state: 'synced' as const }, { labels: { env: 'lab' } }])
    t.notOk(matches(query, { labels, ...other }), JSON.stringify(other))
  t.ok(matches({}))
  t.ok(matches({ repo: '', server: '', state: '', label: '' }))
  t.ok(matches({ repo: ['', ''], server: ['', 'web-1'], state: ',', label: [',', ''] }))
  t.notOk(matches({ server: ['', 'db'] }), 'an empty value beside another is none')
})

t.test('state: one of several, separated by commas or repeated; an unknown one is refused', async (t) => {
  for (const state of STATES) {
    t.ok(matches({ state }, { state }))
    t.notOk(matches({ state: STATES.filter((each) => each !== state).join() }, { state }))
    t.ok(matches({ state: STATES.join() }, { state }))
    t.ok(matches({ state: [...STATES] }, { state }))
  }
  t.same(faultsOf({ state: 'drifted,broken' }), ['/state'])
  t.same(faultsOf({ state: 'constructor' }), ['/state'])
  const outcome = readFilter({ state: 'DRIFTED' })
  t.match(outcome, { ok: false, faults: [{ detail: new RegExp(STATES.join(', ')) }] })
})

t.test('label: conditions as in Kubernetes, all of which have to hold', async (t) => {
  const labels = { env: 'prod', owner: 'team-a', empty: '', 'app.kubernetes.io/name': 'a=b' }
  const holds = (label: string | string[]): boolean => matches({ label }, { labels })
  t.ok(holds('env=prod'))
  t.ok(holds('env==prod'))
  t.notOk(holds('env=lab'))
  t.ok(holds('env!=lab'))
  t.notOk(holds('env!=prod'))
  t.ok(holds('zone!=a'), 'a target without the label')
  t.notOk(holds('zone=a'))
  t.ok(holds('owner'))
  t.notOk(holds('zone'))
  t.ok(holds('empty='))
  t.notOk(holds('zone='))
  t.notOk(holds('env='))
  t.ok(holds('env=prod,owner'))
  t.notOk(holds('env=prod,owner=team-b'))
  t.notOk(holds(['env=prod', 'owner=team-b']))
  t.ok(holds('app.kubernetes.io/name=a=b'))
  t.notOk(holds('env=pro*'), 'no globs')
  t.notOk(holds('constructor'), 'only labels that it has')
  t.notOk(matches({ label: 'env' }), 'a target without labels')
  t.ok(matches({ label: 'env!=prod' }))
  for (const label of ['=prod', '!env', 'env in (a)', '1a=b', ' env=prod', 'env!'])
    t.same(faultsOf({ label }), ['/label'], label)
})

t.test('faults name the parameter, all of them together', async (t) => {
  t.same(faultsOf({ rpo: 'a' }), ['/rpo'])
  t.same(faultsOf({ state: 'none', label: '=' }), ['/state', '/label'])
  t.same(faultsOf({ repo: '{a,b}'.repeat(20), server: '{a,b}'.repeat(20), state: 'none' }), [
    '/repo',
    '/server',
    '/state',
  ])
})

/** So many different names. */
const many = (count: number, name = (index: number) => `n${index}`) =>
  Array.from({ length: count }, (_, at) => name(at))

t.test('bounds: length, alternatives, wildcards, conditions', async (t) => {
  for (const name of ['repo', 'server', 'state', 'label']) {
    t.same(faultsOf({ [name]: 'x'.repeat(VALUE_LENGTH_MAX + 1) }), [`/${name}`], name)
    t.same(faultsOf({ [name]: ['drifted', 'x'.repeat(VALUE_LENGTH_MAX + 1)] }), [`/${name}`])
  }
  t.ok(named('x'.repeat(VALUE_LENGTH_MAX), 'x'.repeat(VALUE_LENGTH_MAX)))

  t.ok(named(`{${many(ALTERNATIVES_MAX).join()}}`, 'n7'))
  t.same(faultsOf({ server: `{${many(ALTERNATIVES_MAX + 1).join()}}` }), ['/server'])
  t.same(faultsOf({ server: many(ALTERNATIVES_MAX + 1) }), ['/server'])
  t.ok(named([...Array.from({ length: 5000 }, () => 'rsyslog'), 'web'], 'web'), 'the same one again does not count')
  t.same(faultsOf({ server: '{a,a}'.repeat(500) }), ['/server'], 'groups that multiply')
  t.same(faultsOf({ server: `${'{a,'.repeat(1500)}b${'}'.repeat(1500)}` }), ['/server'], 'groups in groups')
  t.notOk(named('{,'.repeat(7000), 'a'), 'groups that do not end')

  t.ok(
    named(
      many(WILDCARDS_MAX, (at) => `${at}-*`),
      '7-a',
    ),
  )
  t.same(faultsOf({ server: many(WILDCARDS_MAX + 1, (at) => `${at}-*`) }), ['/server'])
  t.notOk(named(`${'?'.repeat(NAME_LENGTH_MAX)}?`, 'x'.repeat(NAME_LENGTH_MAX + 1)), 'longer than a name can be')
  t.ok(named(`${'?'.repeat(NAME_LENGTH_MAX)}${'*'.repeat(1000)}`, '🦀'.repeat(NAME_LENGTH_MAX)))

  t.ok(matches({ label: many(CONDITIONS_MAX, () => 'a!=b').join() }))
  t.same(faultsOf({ label: many(CONDITIONS_MAX + 1, () => 'a!=b').join() }), ['/label'])
})

t.test('any pattern: is itself, is one of its parts, takes no time', async () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const outcome = readFilter({ server: text })
      return outcome.ok && outcome.value({ ...TARGET, server: text })
    }),
  )
  fc.assert(
    fc.property(
      anyPart,
      fc.array(anyPart, { minLength: 2, maxLength: 4 }),
      anyPart,
      anyPlain,
      (before, parts, after, name) => {
        const pattern = `${before}{${parts.join()}}${after}`
        return named(pattern, name) === parts.some((part) => matchesGlob(before + part + after, name))
      },
    ),
  )
  fc.assert(
    fc.property(
      fc.array(
        anyText.filter((text) => text !== ''),
        { minLength: 1, maxLength: 4 },
      ),
      anyPlain,
      (patterns, name) => {
        return named(patterns, name) === patterns.some((pattern) => named(pattern, name))
      },
    ),
  )
})

t.test('any labels: a condition and its opposite never agree', async () => {
  const anyName = fc.constantFrom('env', 'owner', '__proto__', 'constructor')
  const anyValue = fc.constantFrom('', 'a', 'b=c', '==')
  fc.assert(
    fc.property(
      fc.dictionary(anyName, anyValue, { noNullPrototype: false }),
      anyName,
      anyValue,
      (labels, name, value) => {
        const present = Object.hasOwn(labels, name)
        const equal = present && labels[name] === value
        const target = { labels }
        return (
          matches({ label: `${name}==${value}` }, target) === equal &&
          matches({ label: `${name}!=${value}` }, target) === !equal &&
          matches({ label: name }, target) === present
        )
      },
    ),
  )
})
