/** A row of a view: flat. */
export type Row = Readonly<Record<string, unknown>>

/**
 * Rows as CSV (RFC 4180), the names of the columns first.
 *
 * @param columns the properties, in the order of the columns
 */
export function toCsv(columns: readonly string[], rows: readonly Row[]): string {
  const lines = rows.map((row) => columns.map((column) => field(row[column])).join(','))
  return `${[columns.map((column) => field(column)).join(','), ...lines].join('\r\n')}\r\n`
}

function field(value: unknown): string {
  if (value === null || value === undefined) return ''
  const text = typeof value === 'string' ? value : Array.isArray(value) ? value.join('; ') : JSON.stringify(value)
  // A spreadsheet would run as a formula what begins so; names and reasons come from outside.
  const safe = typeof value !== 'number' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
