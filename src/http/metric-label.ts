/** The name in metrics of a label of a target: Prometheus allows letters, digits and `_`. */
export function metricLabelOf(name: string): string {
  return `label_${name.replaceAll(/[^A-Za-z0-9_]/g, '_')}`
}
