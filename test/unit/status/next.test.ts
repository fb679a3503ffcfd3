import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import { applyChanges, changesBetween } from '../../../src/status/changes.ts'
import {
  EMPTY_DOCUMENT,
  type StatusDocument,
  committedDocument,
  entryOf,
  findEntry,
} from '../../../src/status/document.ts'
import type { Edit } from '../../../src/status/edits.ts'
import { mergeSnapshot } from '../../../src/status/merge.ts'
import { type Change, decide } from '../../../src/status/next.ts'
import { Refusal } from '../../../src/status/refusal.ts'
import { type SavedDocument, type SavedStatus, type Snapshot, TARGETS_MAX } from '../../../src/status/schema.ts'
import { isStale } from '../../../src/status/states.ts'
import { formatTime, timeOf } from '../../../src/status/time.ts'
import { toBytes } from '../../../src/store/render.ts'
import { CLOCK, NOW, posted, saved, statusOf } from '../../support/documents.ts'
import { DRIFTED, snapshotOf } from '../../support/snapshots.ts'

const REPO = 'r'
const SERVERS = ['a', 'b', 'c']

const refused: Change = () => {
  throw new Refusal('no')
}
const broken: Change = (draft) => {
  mergeSnapshot(draft, snapshotOf({ server: 'half done' }))
  throw new TypeError('defect')
}
const again: Change = (draft) => mergeSnapshot(draft, { ...DRIFTED, files: [...DRIFTED.files] }).result
const fine: Change = (draft) => mergeSnapshot(draft, snapshotOf({}, [], DRIFTED.last_check)).result

t.test('a change that is refused or has a defect leaves the others alone, and is told from them', async (t) => {
  const step = decide(EMPTY_DOCUMENT, [], [refused, broken, fine], CLOCK)
  t.match(step.answers, [
    { kind: 'refused', refusal: { message: 'no' } },
    { kind: 'defect', error: { name: 'TypeError' } },
    { kind: 'done', value: 'created' },
  ])
  t.equal(step.next.entries.length, 1)
})

t.test('an edit whose merge throws leaves the others and the requests alone', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, DRIFTED)
  const good = saved(document)
  good['note'] = 'good'
  const broken = saved(document)
  // No parser makes such a document: it stands for any defect of the merge.
  Object.defineProperty(broken, 'statuses', {
    get: () => {
      throw new TypeError('defect')
    },
  })
  const edits = [broken, good].map((copy) => ({ saved: copy, origin: document, isRestore: false }))
  const step = decide(document, edits, [(draft) => mergeSnapshot(draft, snapshotOf({ server: 'b' }))], CLOCK)
  t.match(step.editErrors, [{ name: 'TypeError' }, undefined])
  t.match(step.next.head, { note: 'good' })
  t.equal(step.next.entries.length, 2)
})

t.test('of an edit whose merge throws half-way nothing is done', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, DRIFTED, snapshotOf({ server: 'z' }, [], DRIFTED.last_check))
  const copy = saved(document)
  copy['title'] = 'half done'
  copy.statuses = copy.statuses.map((status) => ({ ...status, note: 'half done' }))
  // The last one: the head and the first status are merged before it.
  Object.defineProperty(copy.statuses.at(-1), 'note', {
    enumerable: true,
    get: () => {
      throw new TypeError('defect')
    },
  })
  const step = decide(document, [{ saved: copy, origin: document, isRestore: false }], [], CLOCK)
  t.match(step.editErrors, [{ name: 'TypeError' }])
  t.notMatch(toBytes(step.next).toString(), /half done/)
})

t.test('requests come after the edits of their round: what is acknowledged is in the document', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, DRIFTED)
  const removing = { ...saved(document), statuses: [] }
  const step = decide(document, [{ saved: removing, origin: document, isRestore: false }], [again], CLOCK)
  t.same(step.answers, [{ kind: 'done', value: 'created' }])
  t.equal(step.next.entries.length, 1)
})

t.test('nothing to do gives the very same document', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, DRIFTED)
  const copy = { saved: saved(document), origin: document, isRestore: false }
  const same = { ...DRIFTED, files: [...DRIFTED.files] }
  t.equal(decide(document, [copy], [(draft) => mergeSnapshot(draft, same)], CLOCK).next, document)
})

t.test('the generation never goes back, and leaves room for those to come, whatever a person has typed', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, DRIFTED)
  const copy = { ...saved(document), generation: 1000, note: 'x' }
  t.equal(decide(document, [{ saved: copy, origin: document, isRestore: false }], [], CLOCK).next.generation, 1001)
  const largest = { ...copy, generation: 2 ** 52 }
  t.equal(decide(document, [{ saved: largest, origin: document, isRestore: false }], [], CLOCK).next.generation, 2)
})

/** What can happen to one directory. */
type Event =
  | { readonly kind: 'post'; readonly server: string; readonly drifted: boolean; readonly age: number }
  | { readonly kind: 'open' }
  | { readonly kind: 'note' | 'flip' | 'title' | 'remove'; readonly copy: number; readonly server: string }
  | { readonly kind: 'delete'; readonly server: string }
  | { readonly kind: 'crash' }
  | { readonly kind: 'clock'; readonly seconds: number }

const server = fc.constantFrom(...SERVERS)
const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('post' as const), server, drifted: fc.boolean(), age: fc.nat(5) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('open' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('note', 'flip', 'title', 'remove'), copy: fc.nat(3), server }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), server }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('clock' as const), seconds: fc.integer({ min: -400, max: 2000 }) }),
  },
)

/**
 * One directory as the store keeps it: the committed document, every older generation, and the record. A model of what
 * must be true is kept beside it, by the rules of design and documentation and not by the code under test.
 */
class World {
  document: StatusDocument = EMPTY_DOCUMENT
  now = NOW
  readonly #generations: StatusDocument[] = [EMPTY_DOCUMENT]
  /** Copies that people have open, oldest first. */
  readonly #copies: StatusDocument[] = [EMPTY_DOCUMENT]
  /** The newest check of each target that is there, as CI posted it. */
  readonly checks = new Map<string, { lastCheck: string; drifted: boolean }>()
  /** The last note that was saved for each target, while it is there; and the last title. */
  readonly notes = new Map<string, string>()
  title: string | undefined
  #saves = 0

  get clock() {
    return { now: this.now, staleAfter: 600 }
  }

  commit(edits: readonly Edit[], changes: readonly Change[]): void {
    const step = decide(this.document, edits, changes, this.clock)
    ok(step.next === this.document || step.next.generation > this.document.generation, 'the generation grows')
    strictEqual(step.next === this.document, !differs(step.next, this.document))
    deepStrictEqual(
      step.editErrors,
      edits.map(() => undefined),
    )
    for (const answer of step.answers) strictEqual(answer.kind, 'done')
    // What the record keeps is enough to make the document again.
    const changed = changesBetween(this.document, step.next)
    const remade = applyChanges(this.document, [changed], this.clock, entryOf)
    if (step.next !== this.document) strictEqual(textOf(remade), textOf(step.next))
    this.document = step.next
    this.#generations.push(step.next)
  }

  post(name: string, drifted: boolean, age: number): void {
    const lastCheck = formatTime(this.now - age * 60_000)
    const snapshot = snapshotOf({ repo: REPO, server: name }, drifted ? ['x'] : [], lastCheck)
    this.commit([], [(draft) => mergeSnapshot(draft, snapshot)])
    const known = this.checks.get(name)
    const isShutOut =
      known !== undefined && known.lastCheck > lastCheck && timeOf(known.lastCheck) <= this.now + 300_000
    if (!isShutOut) this.checks.set(name, { lastCheck, drifted })
  }

  open(): void {
    this.#copies.push(this.document)
  }

  /** Saves a copy with one change, and that again, as after a crash in the middle of the commit. */
  save(which: number, change: (copy: SavedDocument) => void, twice: boolean): StatusDocument {
    const origin = this.#copies[this.#copies.length - 1 - (which % this.#copies.length)] ?? EMPTY_DOCUMENT
    const copy = saved(origin)
    change(copy)
    const edit = { saved: copy, origin, isRestore: false }
    this.commit([edit], [])
    const once = this.document
    if (twice) {
      this.commit([edit], [])
      strictEqual(this.document, once, 'merging a text again changes nothing')
    }
    return origin
  }

  next(): string {
    this.#saves += 1
    return `text ${this.#saves}`
  }

  delete(name: string): void {
    this.commit([], [(draft) => draft.remove({ repo: REPO, server: name }, { origin: 'delete' })])
    this.forget(name)
  }

  forget(name: string): void {
    this.checks.delete(name)
    this.notes.delete(name)
  }

  /** Another server, or this one after a crash: it knows what is on disk and nothing else. */
  crash(): void {
    const before = textOf(this.document)
    this.document = committedDocument(saved(this.document), this.clock)
    strictEqual(textOf(this.document), before)
  }

  status(name: string): SavedStatus | undefined {
    return findEntry(this.document, { repo: REPO, server: name })?.status
  }
}

t.test(
  'any interleaving of posts, edits, removals, crashes and clock jumps keeps every verdict and every edit',
  async () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 30 }), fc.boolean(), (events, twice) => {
        const world = new World()
        for (const event of events) {
          happen(world, event, twice)
          check(world)
        }
      }),
      { numRuns: 1500 },
    )
  },
)

function happen(world: World, event: Event, twice: boolean): void {
  switch (event.kind) {
    case 'post':
      world.post(event.server, event.drifted, event.age)
      break
    case 'open':
      world.open()
      break
    case 'delete':
      world.delete(event.server)
      break
    case 'crash':
      world.crash()
      break
    case 'clock':
      world.now += event.seconds * 1000
      break
    case 'note':
    case 'flip':
    case 'title':
    case 'remove':
      edit(world, event.kind, event.copy, event.server, twice)
  }
}

function edit(
  world: World,
  kind: 'note' | 'flip' | 'title' | 'remove',
  which: number,
  name: string,
  twice: boolean,
): void {
  const text = world.next()
  const isThere = world.status(name) !== undefined
  const lastCheck = world.status(name)?.last_check ?? ''
  if (kind === 'title') {
    world.save(which, (copy) => (copy['title'] = text), twice)
    world.title = text
    return
  }
  const origin = world.save(which, (copy) => changeOf(copy, kind, name, text), twice)
  const opened = findEntry(origin, { repo: REPO, server: name })?.status
  if (opened === undefined || !isThere) return
  const openedCheck = opened.last_check ?? ''
  const isCheckedSince = lastCheck > openedCheck && timeOf(lastCheck) <= world.now + 300_000
  if (kind === 'note') world.notes.set(name, text)
  else if (!isCheckedSince && kind === 'remove') world.forget(name)
  else if (!isCheckedSince) world.checks.set(name, { lastCheck: openedCheck, drifted: true })
}

function changeOf(copy: SavedDocument, kind: 'note' | 'flip' | 'remove', name: string, text: string): void {
  copy.statuses = copy.statuses.flatMap((status) => {
    if (status.server !== name) return status
    if (kind === 'note') return { ...status, note: text }
    if (kind === 'remove') return []
    return { ...status, sync_status: 'OUT_OF_SYNC' as const, drift_count: 1, files: [{ name: text }] }
  })
}

/** What the rules promise of the document. */
function check(world: World): void {
  strictEqual(world.document.head['title'], world.title, 'the last title')
  for (const name of SERVERS) {
    const status = world.status(name)
    const expected = world.checks.get(name)
    strictEqual(status !== undefined, expected !== undefined, `${name} is there if it was posted and not removed`)
    if (status === undefined || expected === undefined) continue
    strictEqual(status.last_check, expected.lastCheck, `the newest verdict of ${name}`)
    strictEqual(status.sync_status, expected.drifted ? 'OUT_OF_SYNC' : 'SYNCED')
    strictEqual(status['note'], world.notes.get(name), `the last note of ${name}`)
    strictEqual(status.drift_count, status.files.length)
  }
}

t.test('time alone: after a round, what is stale is said to be stale', async () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 15 }), fc.integer({ min: 0, max: 2000 }), (events, seconds) => {
      const world = new World()
      for (const event of events) happen(world, event, false)
      world.now += seconds * 1000
      world.crash()
      world.commit([], [])
      for (const { status } of world.document.entries) strictEqual(status.stale, isStale(status, world.clock))
    }),
  )
})

t.test(
  'the order of what the rules call equal does not matter: one round or many, edits of different things',
  async () => {
    const posts = fc.uniqueArray(fc.tuple(server, fc.boolean()), { selector: ([name]) => name })
    fc.assert(
      fc.property(posts, fc.subarray(SERVERS), fc.subarray(SERVERS), fc.boolean(), (since, noted, owned, together) => {
        const base = posted(
          EMPTY_DOCUMENT,
          ...SERVERS.map((name) => snapshotOf({ repo: REPO, server: name }, [], formatTime(NOW - 60_000))),
        ).document
        const one = editOf(base, (status) => (noted.includes(status.server) ? { ...status, note: 'one' } : status))
        const other = editOf(base, (status) => (owned.includes(status.server) ? { ...status, owner: 'other' } : status))
        const changes = since.map(([name, drifted]): Change => {
          return (draft) =>
            mergeSnapshot(draft, snapshotOf({ repo: REPO, server: name }, drifted ? ['x'] : [], formatTime(NOW)))
        })
        const atOnce = decide(base, [one, other], changes, CLOCK).next
        let document = base
        const steps: (() => void)[] = [
          () => (document = decide(document, [other], [], CLOCK).next),
          ...changes.map((change) => () => (document = decide(document, [], [change], CLOCK).next)),
          () => (document = decide(document, [one], [], CLOCK).next),
        ]
        for (const step of together ? steps : steps.toReversed()) step()
        deepStrictEqual(contentOf(document), contentOf(atOnce))
      }),
    )
  },
)

function editOf(origin: StatusDocument, change: (status: SavedStatus) => SavedStatus): Edit {
  const copy = saved(origin)
  copy.statuses = copy.statuses.map(change)
  return { saved: copy, origin, isRestore: false }
}

/** Everything but the generations, which count commits, and the order of properties. */
function contentOf({ head, entries }: StatusDocument): unknown {
  const statuses = entries.map(({ status: { generation: _generation, ...status } }) => status)
  return JSON.parse(JSON.stringify({ head, statuses }))
}

function differs(a: StatusDocument, b: StatusDocument): boolean {
  return JSON.stringify(contentOf(a)) !== JSON.stringify(contentOf(b))
}

function textOf(document: StatusDocument): string {
  return toBytes(document).toString()
}

t.test('the model itself: an example by hand', async (t) => {
  const world = new World()
  world.post('a', true, 0)
  world.open()
  world.now += 60_000
  world.post('a', false, 0)
  edit(world, 'note', 0, 'a', false)
  check(world)
  t.match(statusOf(world.document, { repo: REPO, server: 'a' }), { sync_status: 'SYNCED', note: 'text 1' })
})

const add =
  (snapshots: readonly Snapshot[]): Change =>
  (draft) =>
    snapshots.forEach((each) => mergeSnapshot(draft, each))

t.test('an edit and what was posted since may together be too much: the edit is refused', async (t) => {
  const names = Array.from({ length: TARGETS_MAX - 1 }, (_, index) =>
    snapshotOf({ server: `s${index}` }, [], DRIFTED.last_check),
  )
  const opened = decide(EMPTY_DOCUMENT, [], [add(names)], CLOCK).next
  const present = decide(opened, [], [add([snapshotOf({ server: 'posted' }, [], DRIFTED.last_check)])], CLOCK).next
  const statuses = [
    ...opened.entries.map(({ status }) => status),
    snapshotOf({ server: 'by hand' }, [], DRIFTED.last_check),
  ]
  const edit = { saved: { generation: opened.generation, statuses }, origin: opened, isRestore: false }
  const step = decide(present, [edit], [], CLOCK)
  t.match(step.editErrors, [{ name: 'Refusal', message: /larger than 100000 targets/ }])
  t.equal(step.next, present)
})
