import { spawnSync } from 'node:child_process'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { KeptGzip, type Piece } from '../../../src/http/kept-gzip.ts'

/** Some text, of any length up to more than the window of the compression. */
const text = fc.tuple(fc.string({ unit: 'binary' }), fc.nat({ max: 20_000 })).map(([part, times]) => part.repeat(times))

function compressed(gzip: KeptGzip, pieces: Iterable<Piece>): Buffer {
  return Buffer.concat([...gzip.compress(pieces)])
}

/** Pieces of these texts, and how often the text of one was made. */
function piecesOf(texts: readonly string[]): { readonly pieces: Piece[]; readonly made: () => number } {
  let count = 0
  const pieces = texts.map((each) => ({
    subject: 'a text',
    values: [each],
    text: () => {
      count += 1
      return each
    },
  }))
  return { pieces, made: () => count }
}

t.test('kept gzip: whatever came before, it is one gzip member with the text of the pieces', (t) => {
  fc.assert(
    fc.property(fc.array(fc.array(text, { maxLength: 4 }), { minLength: 1, maxLength: 4 }), (answers) => {
      const gzip = new KeptGzip()
      for (const texts of answers) {
        const bytes = compressed(gzip, piecesOf(texts).pieces)
        t.equal(gunzipSync(bytes).toString(), Buffer.from(texts.join('')).toString())
        t.equal(bytes.indexOf(Buffer.from([0x1f, 0x8b, 8]), 1), -1)
      }
    }),
    { numRuns: 50 },
  )
  t.end()
})

t.test('kept gzip: gzip finds the checksum and the length right', (t) => {
  const gzip = new KeptGzip()
  const { pieces } = piecesOf(['', 'a\n'.repeat(70_000), 'é', ''])
  for (const input of [compressed(gzip, pieces), compressed(gzip, pieces)]) {
    const { status, stdout, stderr } = spawnSync('gzip', ['-dc'], { input, encoding: 'utf8' })
    t.same([status, stderr, stdout], [0, '', `${'a\n'.repeat(70_000)}é`])
  }
  t.end()
})

t.test('kept gzip: a piece is made again only if its subject or its values change', (t) => {
  const gzip = new KeptGzip()
  const madeOf = (pieces: readonly Partial<Piece>[]): number[] => {
    const made: number[] = []
    const whole = pieces.map((piece, index) => ({
      subject: 's',
      values: [],
      ...piece,
      text: () => {
        made.push(index)
        return ''
      },
    }))
    compressed(gzip, whole)
    return made
  }
  t.same(madeOf([{ values: [1, undefined] }, { values: ['x'] }, { subject: 'other' }]), [0, 1, 2])
  t.same(madeOf([{ values: [1, undefined] }, { values: ['x'] }, { subject: 'other' }]), [])
  t.same(madeOf([{ values: [1, null] }, { values: ['x', 'y'] }, { subject: 'third' }]), [0, 1, 2])
  t.same(madeOf([{ values: [1] }, { values: ['x', 'z'] }]), [0, 1])
  t.same(
    madeOf([{ values: [Number.NaN] }, { values: ['x', 'z'] }, { subject: 'third' }]),
    [0, 2],
    'what is gone is not kept',
  )
  t.same(madeOf([{ values: [Number.NaN] }]), [])
  t.end()
})

t.test('kept gzip: two answers at once, of other lengths, are both right', (t) => {
  const gzip = new KeptGzip()
  const long = ['a', 'b', 'c', 'd'].map((each) => each.repeat(1000))
  const short = ['x', 'b'.repeat(1000)]
  compressed(gzip, piecesOf(long).pieces)
  const running = [gzip.compress(piecesOf(long).pieces), gzip.compress(piecesOf(short).pieces)]
  const parts: Buffer[][] = [[], []]
  for (let open = running.length; open > 0;) {
    open = 0
    for (const [index, chunks] of running.entries()) {
      const { value } = chunks.next() as IteratorResult<Buffer, undefined>
      if (value === undefined) continue
      parts[index]?.push(value)
      open += 1
    }
  }
  t.same(
    parts.map((part) => gunzipSync(Buffer.concat(part)).toString()),
    [long.join(''), short.join('')],
  )
  t.end()
})
