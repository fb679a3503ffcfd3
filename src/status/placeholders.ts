/** The placeholders of templates in `links`. Separate from the schema, so that the page can import only them. */
export const LINK_PLACEHOLDERS = ['repo', 'server', 'branch', 'commit', 'file'] as const
