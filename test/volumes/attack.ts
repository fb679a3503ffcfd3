import { setTimeout as sleep } from 'node:timers/promises'
import { integrityFaults } from './integrity.ts'
import type { Losses, Servers } from './losses.ts'
import type { How, SavedEdit, SavedStatus, Site } from './site.ts'

export interface Attack extends Servers {
  readonly posts: number
  readonly edits: number
}

export interface Attacked extends Losses {
  /** Edits that are missing because a later save overrode them. */
  readonly savedOver: number
  /** Answers other than 2xx, and edits that failed, by what they said. */
  readonly refused: ReadonlyMap<string, number>
  readonly unavailable: number
  /** After how many ms a post was seen at the other server, and an edit at both. Infinity: not in time. */
  readonly postsSeen: readonly number[]
  readonly editsSeen: readonly number[]
}

const WRITERS = 2
/** Means of pauses, in ms. */
const POST_PAUSE = 150
const EDIT_PAUSE = 300
/** A person tries again when told that nothing was saved. A mount may show an old size for a second. */
const EDIT_ATTEMPTS = 4
const EDIT_AGAIN_MS = 500
const SEEN_MS = 15_000
/** How long everything may take to come to rest: orphaned files are taken over after 20 s. */
const SETTLE_MS = 25_000

/** Posts to both servers, and edits through both mounts; finds out what is lost. */
export async function attack({ sites, cli, posts, edits }: Attack): Promise<Attacked> {
  const [one, other] = sites
  const name = `attack-${Date.now()}`
  for (const site of sites) {
    await site.enter(name)
    await site.start(cli)
  }
  await fill(one, edits)
  await sleep(2000)

  const acknowledged = new Set<string>()
  const saved: Edit[] = []
  const refused = new Map<string, number>()
  const refuse = (what: string): void => void refused.set(what, (refused.get(what) ?? 0) + 1)
  const postsSeen: Promise<number>[] = []
  const editsSeen: Promise<number>[] = []
  let unavailable = 0
  const edited = new AbortController()
  let posted = 0

  const write = async (site: Site, peer: Site, writer: string): Promise<void> => {
    for (let i = 0; !edited.signal.aborted || posted < posts; i += 1) {
      const server = `${writer}-${i}`
      posted += 1
      const { status, text } = await site.post('posts', [server])
      if (status === 200 || status === 201) {
        acknowledged.add(server)
        if (i % 10 === 5) postsSeen.push(timeUntilSeen(peer, server, server))
      } else {
        if (status === 503) unavailable += 1
        refuse(`post at ${site.name}: ${status} ${reasonOf(text)}`)
      }
      await sleep(Math.random() * 2 * POST_PAUSE)
    }
  }
  const writing = Array.from({ length: WRITERS }, (_, i) => [
    write(one, other, `${one.name}${i}`),
    write(other, one, `${other.name}${i}`),
  ]).flat()

  for (let i = 0; i < edits; i += 1) {
    const site = i % 2 === 0 ? one : other
    const how = howOf(i, edits)
    const edit = await editByHand(site, how, `t${i}`, `e-${i}`, (why) => refuse(`edit ${how} at ${site.name}: ${why}`))
    if (edit !== undefined) {
      saved.push({ ...edit, how, site: site.name })
      for (const each of sites) editsSeen.push(timeUntilSeen(each, edit.server, `"${edit.note}"`))
    }
    await sleep(Math.random() * 2 * EDIT_PAUSE)
  }
  edited.abort()
  await Promise.all(writing)
  const seen = { postsSeen: await Promise.all(postsSeen), editsSeen: await Promise.all(editsSeen) }

  const deadline = Date.now() + SETTLE_MS
  for (;;) {
    const views = (await Promise.all(sites.flatMap((site) => [site.saved(), site.served()]))).map((view) => view ?? [])
    const lostPosts = [...acknowledged].filter((server) => views.some((view) => !view.some(isPost(server))))
    const missing = saved.filter((edit) => views.some((view) => !has(view, edit)))
    const lostEdits = missing.filter((edit) => !isSavedOver(edit, saved))
    const leftovers = await one.leftovers()
    if (lostPosts.length + lostEdits.length + leftovers.length > 0 && Date.now() < deadline) {
      await sleep(1000)
      continue
    }
    await Promise.all(sites.map(async (site) => site.stop()))
    return {
      posts: acknowledged.size,
      lostPosts,
      edits: saved.length,
      lostEdits: lostEdits.map(({ note, how, site }) => `${note} (${how} at ${site})`),
      savedOver: missing.length - lostEdits.length,
      refused,
      unavailable,
      leftovers,
      ...seen,
      faults: await integrityFaults(one),
    }
  }
}

interface Edit extends SavedEdit {
  readonly how: How
  readonly site: string
}

async function fill(site: Site, targets: number): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const { status, text } = await site.post(
      'edits',
      Array.from({ length: Math.max(targets, 1) }, (_, i) => `t${i}`),
    )
    if (status === 201) return
    if (attempt === 10) throw new Error(`no first post: ${status} ${text}`)
    await sleep(1000)
  }
}

/** By rename first, then in place, and the last fifth slowly in place. */
function howOf(i: number, edits: number): How {
  if (i < edits * 0.4) return 'rename'
  return i < edits * 0.8 ? 'in-place' : 'slow'
}

async function editByHand(
  site: Site,
  how: How,
  server: string,
  note: string,
  onError: (why: string) => void,
): Promise<SavedEdit | undefined> {
  for (let attempt = 0; attempt < EDIT_ATTEMPTS; attempt += 1) {
    const edit = await site.edit(how, server, note)
    if (!(edit instanceof Error)) return edit
    onError(edit.message)
    await sleep(EDIT_AGAIN_MS)
  }
  return undefined
}

async function timeUntilSeen(site: Site, server: string, text: string): Promise<number> {
  const begun = performance.now()
  while (performance.now() - begun < SEEN_MS) {
    const answer = await site.request('GET', `/api/status?server=${server}`)
    if (answer.status === 200 && answer.text.includes(text)) return performance.now() - begun
    await sleep(50)
  }
  return Infinity
}

const isPost =
  (name: string) =>
  ({ repo, server }: SavedStatus): boolean =>
    repo === 'posts' && server === name

function has(view: readonly SavedStatus[], edit: SavedEdit): boolean {
  return view.some(({ repo, server, note }) => repo === 'edits' && server === edit.server && note === edit.note)
}

/**
 * True if a later save overrides the edit: of a text of the same generation, which did not show the edit. A server that
 * sees nothing but the later text cannot know of it.
 */
function isSavedOver(edit: SavedEdit, saved: readonly SavedEdit[]): boolean {
  return saved
    .slice(saved.findIndex(({ note }) => note === edit.note) + 1)
    .some((later) => later.generation === edit.generation && !later.notes.has(edit.note))
}

function reasonOf(text: string): string {
  try {
    return String((JSON.parse(text) as { detail?: unknown }).detail).slice(0, 110)
  } catch {
    return text.slice(0, 110)
  }
}
