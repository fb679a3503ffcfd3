import t, { type Test } from 'tap'
import { directory } from '../../support/directory.ts'
import { MOUNTS, needs } from '../../support/machine.ts'
import { freePort } from '../../support/port.ts'
import { PROGRAM } from '../../support/server.ts'
import { attack } from '../../volumes/attack.ts'
import { crash } from '../../volumes/crash.ts'
import type { Losses } from '../../volumes/losses.ts'
import { Site } from '../../volumes/site.ts'
import { bringDown, bringUp } from '../../volumes/volumes.ts'

/** What stands for a network file system here. `npm run test:volumes` has real ones. */
const BINDFS = needs(MOUNTS, 'bindfs', 'fusermount3', 'perl')

// Apart from what `npm run test:volumes` may have mounted.
process.env['TMPDIR'] = directory(t)

/** Two mounts of one directory, each of which goes on showing what was replaced through the other. */
async function sitesOf(t: Test): Promise<[Site, Site]> {
  const directories = await bringUp('bindfs')
  const [one, other] = await Promise.all(
    directories.map(async (path, index) => new Site(`${index}`, path, await freePort())),
  )
  if (one === undefined || other === undefined) throw new Error('no sites')
  t.teardown(async () => {
    for (const site of [one, other]) await site.stop('KILL')
    await bringDown('bindfs')
  })
  return [one, other]
}

function lossesIn({ lostPosts, lostEdits, leftovers, faults }: Losses): string[] {
  return [...lostPosts, ...lostEdits, ...leftovers, ...faults]
}

t.test('a mount that grants a lock twice is said to do so', BINDFS, async (t) => {
  const [site] = await sitesOf(t)
  await site.enter('data')
  await site.start(PROGRAM)
  const { text } = await site.request('GET', '/readyz')
  t.match(JSON.parse(text), { ready: true, volume: { limits: Array } })
  t.match(text, /two servers on this mount can hold the lock at the same time/)
})

t.test('two servers, each with its own mount that remembers old names', BINDFS, async (t) => {
  const sites = await sitesOf(t)
  const attacked = await attack({ sites, cli: PROGRAM, posts: 60, edits: 12 })
  t.ok(attacked.posts >= 60)
  // An editor that opens the file between the two steps of a write finds none, and says so.
  t.ok(attacked.edits >= 9, `${attacked.edits} of 12 edits were saved`)
  t.equal(attacked.unavailable, 0, 'every post worked')
  t.same(lossesIn(attacked), [])
  t.same(
    [...attacked.postsSeen, ...attacked.editsSeen].filter((ms) => ms === Infinity),
    [],
    'and was seen at the other server',
  )
})

for (const kill of ['one', 'both'] as const) {
  t.test(`two servers on such mounts, ${kill} of them killed again and again`, BINDFS, async (t) => {
    const crashed = await crash({ sites: await sitesOf(t), cli: PROGRAM, rounds: 2, kill })
    // An edit of which the kill has left nothing in the file does not count, so there may be none.
    t.ok(crashed.posts > 0)
    t.same(lossesIn(crashed), [])
  })
}
