/** The part that is used here of a package that comes without types. Its README says what each does. */
declare module 'fs-native-extensions' {
  /** Takes the lock of a file if it is free; the kernel gives it back when the descriptor closes, however that comes. */
  export function tryLock(fd: number): boolean
  /** Exchanges two paths atomically (renameat2 with RENAME_EXCHANGE on Linux). */
  export function swap(from: string, to: string): Promise<void>
}
