import { setTimeout as sleep } from 'node:timers/promises'
import { integrityFaults } from './integrity.ts'
import type { Losses, Servers } from './losses.ts'
import type { SavedStatus, Site } from './site.ts'

export type Kill = 'one' | 'both'

export interface Crash extends Servers {
  readonly rounds: number
  readonly kill: Kill
}

export interface Crashed extends Losses {
  /** After how many ms everything was there again, in each round. */
  readonly recovered: readonly number[]
}

const TARGETS = 20
const WRITERS = 2
/** A live server takes over the files of a killed one after 20 s; a starting server does so at once. */
const RECOVER_MS = 25_000
/** The directory is emptied after so many rounds, or the rounds would become slower and slower. */
const ROUNDS_PER_DIRECTORY = TARGETS

/** Kills one server or both at a random moment under load, right after an edit; finds out what does not come back. */
export async function crash({ sites, cli, rounds, kill }: Crash): Promise<Crashed> {
  const [one] = sites
  const lostPosts: string[] = []
  const lostEdits: string[] = []
  const recovered: number[] = []
  const faults: string[] = []
  let posts = 0
  let edits = 0
  let expected: Expected = { posts: new Set(), notes: new Map() }

  const check = async (round: number, at: readonly Site[]): Promise<void> => {
    const begun = performance.now()
    let missing = await missingAt(at, expected)
    while (missing.length > 0 && performance.now() - begun < RECOVER_MS) {
      await sleep(one.isRemote ? 250 : 50)
      missing = await missingAt(at, expected)
    }
    recovered.push(missing.length === 0 ? performance.now() - begun : Infinity)
    for (const name of missing) {
      const isPost = expected.posts.delete(name)
      if (!isPost) expected.notes.delete(name)
      ;(isPost ? lostPosts : lostEdits).push(`${name} in round ${round}`)
    }
  }

  for (let round = 0; round < rounds; round += 1) {
    if (round % ROUNDS_PER_DIRECTORY === 0) {
      for (const site of sites) await site.stop()
      if (round > 0) faults.push(...(await integrityFaults(one)))
      const name = `crash-${Date.now()}`
      for (const site of sites) await site.enter(name)
      expected = { posts: new Set(), notes: new Map() }
      await Promise.all(sites.map(async (site) => site.start(cli)))
      await one.post('edits', targets())
      await sleep(1000)
    }

    const before = expected.posts.size
    const killed = new AbortController()
    const writing = sites.flatMap((site) =>
      Array.from({ length: WRITERS }, async (_, writer) => {
        for (let i = 0; !killed.signal.aborted; i += 1) {
          const server = `p${round}-${site.name}${writer}-${i}`
          const { status } = await site.post('posts', [server])
          if (status === 200 || status === 201) expected.posts.add(server)
          else await sleep(5)
        }
      }),
    )
    const victims = kill === 'both' ? sites : sites.filter((_, i) => i === round % 2)
    const survivors = sites.filter((site) => !victims.includes(site))
    const pids = victims.map(({ pid }) => pid)
    const editor = sites[Math.floor(round / 2) % 2] ?? one
    const slow = one.isRemote ? 5 : 1
    await sleep((100 + Math.random() * 700) * slow)
    const then = { kill: pids, afterMs: Math.random() * 40 * slow }
    const edit = await editor.edit('rename', `t${round % TARGETS}`, `e-${round}`, then)
    killed.abort()
    await Promise.all(victims.map(async (site) => site.gone()))
    await Promise.all(writing)
    posts += expected.posts.size - before
    if (!(edit instanceof Error)) {
      edits += 1
      expected.notes.set(edit.server, edit.note)
      // A mount may have shown an old text: "when in doubt, a property is as saved".
      for (const [server, note] of expected.notes) if (!edit.notes.has(note)) expected.notes.delete(server)
    }
    if (survivors.length > 0) await check(round, survivors)
    await Promise.all(victims.map(async (site) => site.start(cli)))
    await check(round, sites)
  }

  // What the last killed server has left is taken over like the rest.
  const deadline = performance.now() + RECOVER_MS
  while ((await one.leftovers()).length > 0 && performance.now() < deadline) await sleep(500)
  for (const site of sites) await site.stop()
  faults.push(...(await integrityFaults(one)))
  return { posts, lostPosts, edits, lostEdits, leftovers: await one.leftovers(), recovered, faults }
}

interface Expected {
  readonly posts: Set<string>
  /** Of each target that was edited. */
  readonly notes: Map<string, string>
}

/** What at least one of the servers does not serve. */
async function missingAt(sites: readonly Site[], { posts, notes }: Expected): Promise<string[]> {
  const views = await Promise.all(sites.map(async (site) => (await site.served()) ?? []))
  const missing = views.flatMap((view) => {
    const found = new Map(view.map((status): [string, SavedStatus] => [status.server, status]))
    return [
      ...[...posts].filter((server) => !found.has(server)),
      ...[...notes].filter(([server, note]) => found.get(server)?.note !== note).map(([server]) => server),
    ]
  })
  return [...new Set(missing)]
}

function targets(): string[] {
  return Array.from({ length: TARGETS }, (_, i) => `t${i}`)
}
