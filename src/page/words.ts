import { differencesInWords } from '../views/words.ts'

export { ago, duration } from '../views/durations.ts'

const EXACT = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long' })
const TO_THE_MINUTE = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' })
const SHORT = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
})

/** A time to the second, with its zone. */
export function exact(time: number): string {
  return EXACT.format(time)
}

/** A time to the minute. */
export function short(time: number): string {
  return SHORT.format(time)
}

/** A time to the minute, with its year. */
export function toTheMinute(time: number): string {
  return TO_THE_MINUTE.format(time)
}

/** Made once: `toLocaleString` would make one for each number. */
const NUMBER = new Intl.NumberFormat('en')

export function count(number: number, one: string, many = `${one}s`): string {
  return `${NUMBER.format(number)} ${number === 1 ? one : many}`
}

/**
 * Control characters, and characters that are invisible or change the direction of text; not those that only say whether
 * the character before is drawn in colours.
 */
const INVISIBLE = /(?![\uFE0E\uFE0F])[\p{Cc}\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800]/gu
/** Leading and trailing spaces, which are invisible. */
const OUTER_SPACES = /^\s+|\s+$/gu

/** Spells out characters that could make a text look like another one: `‹U+202E›`. */
export function visible(text: string): string {
  return text.replace(INVISIBLE, spellOut)
}

/** As `visible`, and spells out spaces at the ends as well. */
export function visibleName(name: string): string {
  return visible(name.replace(OUTER_SPACES, spellOut))
}

/** Characters of the name of a difference that is not a file, in one line. */
const DIFFERENCE_LENGTH_MAX = 60

/** The differences in a few words; names are made visible and cut. */
export function differences(files: readonly { readonly name: string; readonly kind: 'file' | 'other' }[]): string {
  return differencesInWords(
    files.map(({ name, kind }) => ({ kind, name: kind === 'file' ? name : visibleName(cut(name)) })),
  )
}

/** The name of a difference, not longer than a line. */
export function cut(name: string): string {
  return name.length > DIFFERENCE_LENGTH_MAX ? `${name.slice(0, DIFFERENCE_LENGTH_MAX - 1)}…` : name
}

function spellOut(characters: string): string {
  return Array.from(characters, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
    return `‹U+${hex}›`
  }).join('')
}

/** Capitalizes the first letter. */
export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}
