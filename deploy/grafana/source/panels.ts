import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  GraphDrawStyle,
  LegendDisplayMode,
  LegendPlacement,
  LineInterpolation,
  ReduceDataOptionsBuilder,
  StackingConfigBuilder,
  StackingMode,
  TableCellHeight,
  TimelineValueAlignment,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog'
import {
  type DataTransformerConfig,
  type Panel as DashboardPanel,
  FieldColorBuilder,
  FieldColorModeId,
  type ThresholdsConfigBuilder,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as StateTimelineBuilder } from '@grafana/grafana-foundation-sdk/statetimeline'
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table'
import { PanelBuilder as TextBuilder, TextMode } from '@grafana/grafana-foundation-sdk/text'
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries'
import { STATES } from '../../../src/status/schema.ts'
import { STATE_WORDS } from '../../../src/views/words.ts'
import {
  CHECK_STEPS,
  DRIFT_STEPS,
  EMPTY_CELL,
  type Look,
  NEUTRAL_STEPS,
  STATE_COLORS,
  STATE_TEXTS,
  texts,
} from './looks.ts'
import type { Field } from './query.ts'

/** Where a panel is: of 24 columns, in rows of 38 pixels. */
export type Place = readonly [x: number, y: number, w: number, h: number]

interface Panel {
  readonly id: number
  readonly title: string
  readonly description?: string
  readonly at: Place
  readonly query: Builder<Dataquery>
}

/** The name of the tile that is shown if there are no targets. */
const NO_TARGETS = 'targets here'
/** The text shown if no answer came. An answer without rows has a row that says so: see `orRow`. */
const NO_ANSWER = 'No answer'

type AnyPanel = StatBuilder | StateTimelineBuilder | TableBuilder | TimeSeriesBuilder

function placed<T extends AnyPanel>(panel: T, { id, title, description, at: [x, y, w, h], query }: Panel): T {
  panel.id(id).title(title).gridPos({ x, y, w, h }).withTarget(query)
  if (description !== undefined) panel.description(description)
  return panel
}

export interface Tile extends Panel {
  /** The name of the field. */
  readonly field: string
  readonly unit?: string
  readonly decimals?: number
  readonly thresholds?: ThresholdsConfigBuilder
  readonly mappings?: readonly ValueMapping[]
}

/** One value. */
export function tile({
  field,
  unit,
  decimals = 0,
  thresholds = NEUTRAL_STEPS,
  mappings = [],
  ...panel
}: Tile): StatBuilder {
  const built = placed(new StatBuilder(), panel)
    .reduceOptions(lastValue(field))
    .noValue(NO_ANSWER)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .thresholds(thresholds)
    .mappings([...mappings])
    .decimals(decimals)
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.None)
    .textMode(BigValueTextMode.Value)
  return unit === undefined ? built : built.unit(unit)
}

/** The field `longest`: the age of the oldest drift in seconds, 0 without drift. */
export function longestDrift(id: number, at: Place, query: Builder<Dataquery>): StatBuilder {
  return tile({
    id,
    title: 'Longest drift',
    at,
    query,
    field: 'longest',
    unit: 's',
    decimals: 1,
    thresholds: DRIFT_STEPS,
    mappings: [texts({ 0: { text: 'none', color: 'text' } })],
  })
}

/** The field `newest`: the age of the newest check in seconds, -1 if there was none. */
export function newestCheck(id: number, at: Place, query: Builder<Dataquery>): StatBuilder {
  return tile({
    id,
    title: 'Newest check',
    description: 'The age of the newest check. If it is more than a few minutes, CI or its reporter has stopped.',
    at,
    query,
    field: 'newest',
    unit: 's',
    decimals: 1,
    thresholds: CHECK_STEPS,
    mappings: [texts({ '-1': { text: 'never', color: 'text' } })],
  })
}

/** The field `targets`. */
export function numberOfTargets(id: number, at: Place, query: Builder<Dataquery>): StatBuilder {
  return tile({ id, title: 'Targets', at, query, field: 'targets' })
}

/** A text in Markdown. */
export function note(id: number, [x, y, w, h]: Place, markdown: string): TextBuilder {
  return new TextBuilder().id(id).gridPos({ x, y, w, h }).mode(TextMode.Markdown).content(markdown)
}

/**
 * A tile for each state that any target is in. The fields are the numbers of targets by state, without those that are 0,
 * or `none` if there are no targets: nothing is green of which nothing is known.
 */
export function stateTiles(panel: Panel): StatBuilder {
  const built = placed(new StatBuilder(), panel)
    .reduceOptions(lastValue(`(${[...STATE_WORDS.values(), NO_TARGETS].join('|')})`))
    .noValue(NO_ANSWER)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .thresholds(NEUTRAL_STEPS)
    .decimals(0)
    .colorMode(BigValueColorMode.BackgroundSolid)
    .graphMode(BigValueGraphMode.None)
    .textMode(BigValueTextMode.ValueAndName)
    .withTransformation(inOrder([...STATES]))
    .overrideByName('none', [
      { id: 'displayName', value: NO_TARGETS },
      { id: 'mappings', value: [texts({ 0: { text: 'none', color: '#6e6e7a' } })] },
    ])
  for (const [state, word] of STATE_WORDS) {
    built.overrideByName(state, [
      { id: 'displayName', value: word },
      { id: 'color', value: { mode: FieldColorModeId.Fixed, fixedColor: STATE_COLORS[state] } },
    ])
  }
  return built
}

/** jq that gives a row where there is none, so that nothing is told apart from no answer. */
export const orRow = (property: string, text: string): string =>
  `if . == [] then [{${property}: ${JSON.stringify(text)}}] else . end`

export interface Column extends Field {
  readonly look?: Look
}

export interface Table extends Panel {
  readonly columns: readonly Column[]
  /** Columns of the answer that are not shown. */
  readonly hidden?: readonly Column[]
}

/** Rows, in columns of this order. */
export function table({ columns, hidden = [], ...panel }: Table): TableBuilder {
  const built = placed(new TableBuilder(), panel)
    .noValue(NO_ANSWER)
    .cellHeight(TableCellHeight.Sm)
    .showHeader(true)
    .withTransformation(inOrder(titlesOf(columns), titlesOf(hidden)))
  for (const { title, look = [] } of columns) built.overrideByName(title, [...look, ...EMPTY_CELL])
  return built
}

/** What `countsOverTime` shows. */
export const COUNTS: readonly Field[] = [
  { name: 'time', title: 'time', type: 'timestamp' },
  ...STATES.filter((state) => state !== 'synced').map((state): Field => ({
    name: state,
    title: state,
    type: 'number',
  })),
]

/** How many targets were in each state but in sync, one upon the other. The fields are the states. */
export function countsOverTime(panel: Panel): TimeSeriesBuilder {
  const built = placed(new TimeSeriesBuilder(), panel)
    .noValue(NO_ANSWER)
    .min(0)
    .decimals(0)
    .drawStyle(GraphDrawStyle.Line)
    .lineInterpolation(LineInterpolation.StepAfter)
    .lineWidth(1)
    .fillOpacity(70)
    .showPoints(VisibilityMode.Never)
    .stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'))
    .legend(legend('lastNotNull', 'max'))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi))
  for (const [state, word] of STATE_WORDS) {
    built.overrideByName(state, [
      { id: 'displayName', value: word },
      { id: 'color', value: { mode: FieldColorModeId.Fixed, fixedColor: STATE_COLORS[state] } },
    ])
  }
  return built
}

/** The rows of `statesOverTime`: one for each period in which a target was in one state. The start must come before the end. */
export const STRETCHES: readonly Field[] = [
  { name: 'from', title: 'from', type: 'timestamp' },
  { name: 'status', title: 'status', type: 'string' },
  { name: 'target', title: 'target', type: 'string' },
  { name: 'to', title: 'to', type: 'timestamp' },
]

/** A timeline without pages: the number of its rows is bounded, and the builder takes no number for "no pages". */
class Timeline extends StateTimelineBuilder {
  override build(): DashboardPanel {
    const panel = super.build()
    delete panel.options.perPage
    return panel
  }
}

/** jq that gives a row without a bar where there is none. */
export const STRETCHES_JQ =
  'if . == [] then [{from: (now | todate), to: (now | todate), target: "no target in this time"}] else . end'

/** In what state targets were. */
export function statesOverTime(panel: Panel): StateTimelineBuilder {
  return placed(new Timeline(), panel)
    .noValue(NO_ANSWER)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Fixed).fixedColor('transparent'))
    .mappings([STATE_TEXTS])
    .displayName('${__field.labels.target}')
    .withTransformation({
      id: 'partitionByValues',
      options: { fields: ['target'], keepFields: false, naming: { asLabels: true } },
    })
    .mergeValues(true)
    .showValue(VisibilityMode.Never)
    .alignValue(TimelineValueAlignment.Left)
    .rowHeight(0.8)
    .fillOpacity(85)
    .lineWidth(0)
    .legend(legend().showLegend(false))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Single))
}

/** In what state targets were: series of numbers, the place of the state among all. */
export function numberedStatesOverTime(panel: Panel): StateTimelineBuilder {
  const numbered = [...STATE_WORDS].map(([state, word], number) => [number, { text: word, color: STATE_COLORS[state] }])
  return statesOverTime(panel)
    .transformations([])
    .displayName('')
    .mappings([texts(Object.fromEntries(numbered))])
}

function lastValue(field: string): ReduceDataOptionsBuilder {
  return new ReduceDataOptionsBuilder().values(false).calcs(['lastNotNull']).fields(`/^${field}$/`)
}

function legend(...calcs: string[]): VizLegendOptionsBuilder {
  return new VizLegendOptionsBuilder()
    .showLegend(true)
    .displayMode(LegendDisplayMode.List)
    .placement(LegendPlacement.Bottom)
    .calcs(calcs)
}

const titlesOf = (columns: readonly Column[]): string[] => columns.map(({ title }) => title)

export function inOrder(titles: readonly string[], hidden: readonly string[] = []): DataTransformerConfig {
  const indexByName = Object.fromEntries(titles.map((title, index) => [title, index]))
  const excludeByName = Object.fromEntries(hidden.map((title) => [title, true]))
  return { id: 'organize', options: { indexByName, excludeByName, renameByName: {} } }
}
