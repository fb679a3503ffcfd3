import {
  ConstantVariableBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
} from '@grafana/grafana-foundation-sdk/dashboard'

/** The address at which browsers find the status page; that of the data source is Grafana's own way to the server. */
const STATUS_PAGE = 'http://127.0.0.1:8080'

/** What all dashboards have in common. */
export function dashboard(uid: string, title: string, description: string, from = 'now-24h'): DashboardBuilder {
  return new DashboardBuilder(title)
    .id(null)
    .uid(uid)
    .description(description)
    .tags(['gitops', 'drift'])
    .version(1)
    .timezone('browser')
    .refresh('30s')
    .time({ from, to: 'now' })
    .tooltip(DashboardCursorSync.Crosshair)
    .annotations([])
    .link(link('Status page', '${status_page}').targetBlank(true))
    .withVariable(new ConstantVariableBuilder('status_page').value(STATUS_PAGE))
}

export function link(title: string, url: string): DashboardLinkBuilder {
  return new DashboardLinkBuilder(title).type(DashboardLinkType.Link).icon('external link').url(url)
}
