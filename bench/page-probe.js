/* Runs in the page before its own script: measures until the frame that shows something. */
const OBSERVED = { childList: true, characterData: true, attributes: true, subtree: true }
const rows = () => [...document.querySelectorAll('.row')]

/** From `start`, in ms since the navigation, to the end of the frame after the change that makes it so. */
const measureUntil = (name, start, isSo) => {
  const observer = new MutationObserver(() => {
    if (!isSo()) return
    observer.disconnect()
    requestAnimationFrame(() => setTimeout(() => performance.measure(name, { start })))
  })
  observer.observe(document, OBSERVED)
}

globalThis.probe = {
  /** When the largest element was painted, in ms since the navigation. */
  largestPaint: Number.NaN,
  /** The sum of all layout shifts, which is never less than CLS: that is the worst five seconds of them. */
  layoutShift: 0,
  /** Measures `update`: until a name has left the first row, as it does when its target is back in sync. */
  awaitUpdate: (name) => {
    performance.clearMeasures('update')
    measureUntil('update', performance.now(), () => !rows()[0]?.textContent.includes(name))
  },
}
measureUntil('rows', 0, () => rows().length > 0)
// `key`: until every row contains what has been typed.
document.addEventListener(
  'keydown',
  ({ target, timeStamp }) =>
    measureUntil('key', timeStamp, () => rows().every((row) => row.textContent.includes(target.value))),
  true,
)
new PerformanceObserver((list) => {
  globalThis.probe.largestPaint = list.getEntries().at(-1).startTime
}).observe({ type: 'largest-contentful-paint', buffered: true })
new PerformanceObserver((list) => {
  for (const { value } of list.getEntries()) globalThis.probe.layoutShift += value
}).observe({ type: 'layout-shift', buffered: true })
