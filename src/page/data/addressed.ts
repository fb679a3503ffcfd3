/** The address of something beside the page. `fetch` refuses one with a name and a password, with which a page may be opened. */
export function addressed(path: string): URL {
  const address = new URL(path, document.baseURI)
  address.username = ''
  address.password = ''
  return address
}
