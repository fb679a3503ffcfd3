const lines: string[] = []

/** A line of the report; also shown at once. */
export function say(line = ''): void {
  lines.push(line)
  process.stdout.write(`${line}\n`)
}

/** A Markdown table: the first column to the left, the others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`
  say(line(head))
  say(
    `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`,
  )
  for (const row of rows) say(line(row))
  say()
}

/** All that was said. */
export function report(): string {
  return `${lines.join('\n').trimEnd()}\n`
}

export function count(number: number): string {
  return Math.round(number).toLocaleString('en')
}

export function times(number: number): string {
  return `${number.toFixed(2)} ×`
}

export function ms(number: number, digits = 0): string {
  return `${number.toFixed(digits)} ms`
}

export function mebibytes(number: number): string {
  return `${number.toFixed(0)} MiB`
}
