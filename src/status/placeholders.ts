/** What the templates in `links` may name. Apart from the schema, so that the page can have it alone. */
export const LINK_PLACEHOLDERS = ['repo', 'server', 'branch', 'commit', 'file'] as const
