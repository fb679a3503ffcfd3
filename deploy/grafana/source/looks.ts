import { TableCellBackgroundDisplayMode, TableCellDisplayMode } from '@grafana/grafana-foundation-sdk/common'
import {
  type DynamicConfigValue,
  FieldColorModeId,
  MappingType,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard'
import type { State } from '../../../src/status/schema.ts'
import { STATE_WORDS } from '../../../src/views/words.ts'

/** Properties of a field, as a panel's override has them. */
export type Look = readonly DynamicConfigValue[]

/** The look of unknown values. */
const NEUTRAL = 'text'

export const STATE_COLORS: Readonly<Record<State, string>> = {
  drifted: 'red',
  failing: 'orange',
  missing: 'purple',
  stale: 'yellow',
  accepted: 'blue',
  synced: 'green',
}

/** Ages, in seconds, from which a drift is no longer of today's work, and a check is late. */
export const DRIFT_STEPS = steps([NEUTRAL, null], ['orange', 3600], ['red', 86_400])
export const CHECK_STEPS = steps([NEUTRAL, null], ['orange', 600], ['red', 900])
export const NEUTRAL_STEPS = steps([NEUTRAL, null])

/** Texts for values, with colours. */
export function texts(
  options: Readonly<Record<string, { readonly text?: string; readonly color: string }>>,
): ValueMapping {
  const numbered = Object.entries(options).map(([value, result], index) => [value, { ...result, index }])
  return { type: MappingType.ValueToText, options: Object.fromEntries(numbered) }
}

/** The colours of the words for states. */
export const STATE_TEXTS = texts({
  ...Object.fromEntries([...STATE_WORDS].map(([state, word]) => [word, { color: STATE_COLORS[state] }])),
  // As metrics name them.
  ...Object.fromEntries([...STATE_WORDS].map(([state, word]) => [state, { text: word, color: STATE_COLORS[state] }])),
  removed: { color: NEUTRAL },
})

/** A replacement of a text, by a regular expression. */
function shown(pattern: string, text: string): ValueMapping {
  return { type: MappingType.RegexToText, options: { pattern, result: { text, index: 0 } } }
}

export const width = (pixels: number): Look => [{ id: 'custom.width', value: pixels }]

/** A long text, whole. */
export const WHOLE: Look = [{ id: 'custom.cellOptions', value: { type: TableCellDisplayMode.Auto, wrapText: true } }]

/** Otherwise each empty cell would say what the panel says without rows. */
export const EMPTY_CELL: Look = [{ id: 'noValue', value: ' ' }]

export const STATE: Look = [
  ...width(125),
  { id: 'mappings', value: [STATE_TEXTS] },
  { id: 'color', value: { mode: FieldColorModeId.Fixed, fixedColor: 'transparent' } },
  {
    id: 'custom.cellOptions',
    value: { type: TableCellDisplayMode.ColorBackground, mode: TableCellBackgroundDisplayMode.Basic },
  },
  { id: 'custom.align', value: 'center' },
]

/** An age in seconds, coloured by its length. */
export function age(colors: ThresholdsConfigBuilder): Look {
  return [
    ...width(95),
    { id: 'unit', value: 's' },
    { id: 'decimals', value: 1 },
    { id: 'custom.cellOptions', value: { type: TableCellDisplayMode.ColorText } },
    { id: 'color', value: { mode: FieldColorModeId.Thresholds } },
    { id: 'thresholds', value: colors.build() },
  ]
}

/** A number that is of interest if it is not 0. */
export function countOf(color: string, pixels: number): Look {
  return [
    ...width(pixels),
    { id: 'custom.cellOptions', value: { type: TableCellDisplayMode.ColorText } },
    { id: 'color', value: { mode: FieldColorModeId.Thresholds } },
    { id: 'thresholds', value: steps([NEUTRAL, null], [color, 1]).build() },
    { id: 'mappings', value: [texts({ 0: { text: '–', color: NEUTRAL } })] },
  ]
}

/** A line of a difference. */
export const DIFFERENCE: Look = [
  { id: 'custom.cellOptions', value: { type: TableCellDisplayMode.ColorText } },
  { id: 'custom.inspect', value: true },
  {
    id: 'mappings',
    value: [
      { type: MappingType.RegexToText, options: { pattern: '^\\+.*', result: { color: 'green', index: 0 } } },
      { type: MappingType.RegexToText, options: { pattern: '^-.*', result: { color: 'red', index: 1 } } },
      { type: MappingType.RegexToText, options: { pattern: '^@@.*', result: { color: 'blue', index: 2 } } },
    ],
  },
  { id: 'color', value: { mode: FieldColorModeId.Fixed, fixedColor: NEUTRAL } },
]

/** A time of day, with the date if it is not of today. */
export const TIME: Look = [...width(165), { id: 'unit', value: 'dateTimeAsIsoNoDateIfToday' }]

export const COMMIT: Look = [...width(85), { id: 'mappings', value: [shown('^([0-9a-f]{8})[0-9a-f]+$', '$1')] }]

export const PIPELINE: Look = [
  ...width(105),
  { id: 'mappings', value: [shown('^https?:.*', 'pipeline ↗')] },
  ...linksTo('The CI run', '${__value.raw}', true),
]

export function linksTo(title: string, url: string, targetBlank = false): Look {
  return [{ id: 'links', value: [{ title, url, targetBlank }] }]
}

export function steps(...each: readonly (readonly [color: string, from: number | null])[]): ThresholdsConfigBuilder {
  return new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps(each.map(([color, value]) => ({ color, value })))
}
