import t from 'tap'
import { type Block, blocksOf, difference } from '../../support/docs/blocks.ts'
import { runOnThrowawayMachine, THROWAWAY_MACHINE } from '../../support/docs/machine.ts'
import { pages, read } from '../../support/docs/pages.ts'
import { has, needs } from '../../support/machine.ts'

const PROGRAMS =
  'ansible-playbook curl git jq nginx npm openssl prometheus promtool rsync systemd-analyze update-ca-certificates'
const KUSTOMIZE = { there: has('kustomize') || has('kubectl'), what: 'kustomize or kubectl', program: 'kustomize' }
const REQUIRED = needs(THROWAWAY_MACHINE, KUSTOMIZE, ...PROGRAMS.split(' '))
// For work on some pages: PAGES=access,install. What their commands print is then in the output of the test.
const CHOSEN = process.env['PAGES']?.split(',')

t.jobs = 2
for (const page of pages().filter((each) => CHOSEN?.some((name) => each.includes(name)) ?? true)) {
  t.test(`${page}: its commands do what it shows`, { ...REQUIRED, timeout: 150_000 }, async (t) => {
    const blocks = blocksOf(read(page))
    for (const { line, text } of blocks.filter(({ note, language }) => note.kind === 'plain' && language === 'json'))
      t.doesNotThrow(() => JSON.parse(text) as unknown, `${page}:${line} is JSON`)

    const commands = blocks.filter(isRun)
    const runs = commands.length === 0 ? [] : await runOnThrowawayMachine(t, commands)
    for (const [index, block] of blocks.entries()) {
      const place = `${page}:${block.line}`
      if (block.note.kind === 'not-run') t.test(place, { skip: block.note.reason }, () => undefined)
      if (isRun(block)) {
        const run = runs[commands.indexOf(block)]
        if (CHOSEN !== undefined) t.comment(`${place} prints\n${run?.printed}`)
        const expected = block.note.kind === 'exit' ? block.note.code : 0
        t.equal(run?.code, expected, `${place}: exit code`, { commands: block.text, printed: run?.printed })
      }
      if (block.note.kind === 'output') {
        const above = blocks.slice(0, index).findLast(isRun)
        const run = above && runs[commands.indexOf(above)]
        t.same(run && difference(block, run.printed), undefined, `${place}: what is printed`)
      }
    }
  })
}

function isRun({ language, note }: Block): boolean {
  return language === 'sh' && note.kind !== 'not-run'
}
