/** A playbook, and what a check by it must say of its servers. */
export interface Case {
  readonly name: string
  /** The tasks of its only play, or its plays. `{{ etc }}` is a server's directory, `{{ me }}` the server's name. */
  readonly tasks?: readonly object[]
  readonly plays?: readonly object[]
  /** What the play has beside its tasks. */
  readonly play?: object
  /** The servers, and the files on each; one server `a` without files unless given. */
  readonly servers?: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Files beside the playbook. */
  readonly files?: Readonly<Record<string, string>>
  /** By server: the differences, none for SYNCED, or the reason why it could not be checked. */
  readonly expected: Readonly<Record<string, Verdict>>
  /** The same where versions of ansible-core before 2.19 differ. */
  readonly before219?: Readonly<Record<string, Verdict>>
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** Names of files; a name that begins with `other:` is of a difference that is no file. */
export type Verdict = readonly string[] | RegExp

const copy = (dest = 'f', more: object = {}): object => ({
  name: `copy ${dest}`,
  copy: { content: 'new\n', dest: `{{ etc }}/${dest}`, mode: '0644' },
  ...more,
})
/** A task that takes less time, where it does not matter how a file is managed. */
const line = (dest = 'f', more: object = {}): object => ({
  name: `line of ${dest}`,
  lineinfile: { path: `{{ etc }}/${dest}`, line: 'new', create: true, mode: '0644' },
  ...more,
})
const onlyOn = (me: string): object => ({ when: `me == '${me}'` })
const fail = (more: object = {}): object => ({ name: 'Fail', fail: { msg: 'boom' }, ...more })
const probe = (changed: string, more: object = {}): object => ({
  name: 'Probe',
  command: 'true',
  check_mode: false,
  changed_when: changed,
  ...more,
})
const OLD = { f: 'old\n' }
const NEW = { f: 'new\n' }
const AB = { a: OLD, b: OLD }
const STOPPED = /the check was stopped (early, because another server failed|before 'line of g')/

/**
 * Cases that are run together, each by a play of its own. A play whose servers all fail ends the run of Ansible, so at
 * least one server of each gets to the end.
 */
export const TOGETHER: readonly Case[] = [
  // --- files
  { name: 'a file in sync', tasks: [copy()], servers: { a: NEW }, expected: { a: [] } },
  { name: 'a file that differs', tasks: [copy()], servers: { a: OLD }, expected: { a: ['f'] } },
  { name: 'a missing file', tasks: [copy()], expected: { a: ['f'] } },
  { name: 'a path with ..', tasks: [copy('sub/..//./f')], servers: { a: OLD }, expected: { a: ['f'] } },
  { name: 'a path outside the base', tasks: [copy('../x')], expected: { a: ['{root}/x'] } },
  {
    name: 'a mode',
    tasks: [{ file: { path: '{{ etc }}/f', mode: '0600' } }],
    servers: { a: NEW },
    expected: { a: ['f'] },
  },
  {
    name: 'a file that must be absent',
    tasks: [{ file: { path: '{{ etc }}/f', state: 'absent' } }],
    servers: { a: NEW },
    expected: { a: ['f'] },
  },
  {
    name: 'a directory',
    tasks: [{ file: { path: '{{ etc }}/d/', state: 'directory' } }],
    expected: { a: ['d'] },
  },
  {
    name: 'a link',
    tasks: [{ file: { src: 'f', dest: '{{ etc }}/link', state: 'link' } }],
    servers: { a: NEW },
    expected: { a: ['link'] },
  },
  {
    name: 'a link whose target has another mode',
    tasks: [
      { command: { cmd: 'ln -sf f {{ etc }}/link' }, check_mode: false, changed_when: false },
      { file: { path: '{{ etc }}/link', mode: '0600' } },
    ],
    servers: { a: NEW },
    expected: { a: ['link'] },
  },
  {
    name: 'a dangling link in place of a file',
    tasks: [
      { command: { cmd: 'ln -sf /nonexistent {{ etc }}/link' }, check_mode: false, changed_when: false },
      copy('link'),
    ],
    expected: { a: ['link'] },
  },
  {
    name: 'a template',
    tasks: [{ template: { src: 't.j2', dest: '{{ etc }}/f' } }],
    servers: { a: OLD },
    files: { 't.j2': 'of {{ me }}\n' },
    expected: { a: ['f'] },
  },
  {
    name: 'a line of a file',
    tasks: [{ lineinfile: { path: '{{ etc }}/f', line: 'more' } }],
    servers: { a: NEW },
    expected: { a: ['f'] },
  },
  {
    name: 'a block of a file',
    tasks: [{ blockinfile: { path: '{{ etc }}/f', block: 'more' } }],
    servers: { a: NEW },
    expected: { a: ['f'] },
  },
  {
    name: 'a replaced text',
    tasks: [{ replace: { path: '{{ etc }}/f', regexp: 'old', replace: 'new' } }],
    servers: { a: OLD },
    expected: { a: ['f'] },
  },
  {
    name: 'a line of a file that is gone',
    tasks: [{ name: 'Line', lineinfile: { path: '{{ etc }}/gone', line: 'more' } }],
    servers: { a: NEW, b: { ...NEW, gone: 'more\n' } },
    expected: { a: /'Line' failed: .*gone does not exist/, b: [] },
  },
  {
    name: 'failed_when: false on a file that is gone',
    tasks: [
      { name: 'Line', lineinfile: { path: '{{ etc }}/gone', line: 'more' }, failed_when: false },
      { name: 'Mode', file: { path: '{{ etc }}/f', mode: '0644' }, failed_when: false },
    ],
    servers: { a: NEW, b: { ...NEW, gone: 'more\n' } },
    expected: { a: /'Line' failed, which failed_when hides: .*gone does not exist/, b: [] },
  },
  {
    name: 'failed_when: false on a missing file whose mode is managed',
    tasks: [{ name: 'Mode', file: { path: '{{ etc }}/gone', mode: '0644' }, failed_when: false }],
    servers: { a: NEW, b: { gone: '' } },
    expected: { a: /'Mode' failed, which failed_when hides: .*is absent/, b: [] },
  },
  {
    name: 'a probe that may fail',
    tasks: [copy(), { command: 'false', check_mode: false, failed_when: false, changed_when: false }],
    servers: { a: NEW },
    expected: { a: [] },
  },
  {
    name: 'several files of a loop, some in sync',
    tasks: [{ copy: { content: 'new\n', dest: '{{ etc }}/{{ item }}', mode: '0644' }, loop: ['f', 'g', 'h'] }],
    servers: { a: { f: 'new\n', g: 'old\n' } },
    expected: { a: ['g', 'h'] },
  },
  {
    name: 'a loop of which one item fails',
    tasks: [
      { name: 'Loop', lineinfile: { path: '{{ etc }}/{{ item }}', line: 'x' }, loop: ['f', 'gone'], ...onlyOn('a') },
    ],
    servers: { a: NEW, b: NEW },
    expected: { a: /'Loop' failed \(gone\): .*does not exist/, b: /nothing was checked/ },
  },
  {
    name: 'dates and numbers as keys',
    tasks: [
      { set_fact: { dates: '{{ {1: 2} }}' } },
      copy('f', { loop: '{{ [{"d": 1}] }}' }),
      { debug: { var: 'known' }, vars: { known: { 1: 'x' } } },
    ],
    servers: { a: OLD },
    expected: { a: ['f'] },
  },
  {
    name: 'a directory with its files',
    tasks: [{ copy: { src: 'tree/', dest: '{{ etc }}/tree/', mode: '0644' } }],
    servers: { a: { 'tree/same': 'same\n', 'tree/differs': 'old\n', 'tree/sub/kept': '' } },
    files: { 'tree/same': 'same\n', 'tree/differs': 'new\n', 'tree/sub/missing': '' },
    expected: { a: ['tree/differs', 'tree/sub/missing'] },
  },
  {
    name: 'a directory by its name',
    tasks: [{ copy: { src: 'named', dest: '{{ etc }}', mode: '0644' } }],
    servers: { a: { 'named/same': 'same\n', 'named/differs': 'old\n' } },
    files: { 'named/same': 'same\n', 'named/differs': 'new\n' },
    expected: { a: ['named/differs'] },
  },
  {
    name: 'a directory in sync',
    tasks: [{ copy: { src: 'synced/', dest: '{{ etc }}/synced/', mode: '0644' } }],
    servers: { a: { 'synced/same': 'same\n' } },
    files: { 'synced/same': 'same\n' },
    expected: { a: [] },
  },
  {
    name: 'a file put into a directory',
    tasks: [{ copy: { src: 'g', dest: '{{ etc }}/d/', mode: '0644' } }],
    servers: { a: { 'd/g': 'old\n' } },
    files: { g: 'new\n' },
    expected: { a: ['d/g'] },
  },
  {
    name: 'the files of a zip archive',
    tasks: [
      {
        command: {
          cmd: `{{ ansible_playbook_python }} -c 'import zipfile; z = zipfile.ZipFile("{{ etc }}/../x.zip", "w"); z.writestr("one", "1"); z.writestr("sub/two", "2")'`,
        },
        check_mode: false,
        changed_when: false,
      },
      { unarchive: { src: '{{ etc }}/../x.zip', dest: '{{ etc }}', remote_src: true } },
    ],
    expected: { a: ['one', 'sub/two'] },
  },
  {
    name: 'a tar archive, which is not looked at in check mode',
    tasks: [
      {
        command: { cmd: 'tar czf {{ etc }}/../x.tgz -C {{ etc }} f' },
        check_mode: false,
        changed_when: false,
      },
      { name: 'Unpack', unarchive: { src: '{{ etc }}/../x.tgz', dest: '{{ etc }}', remote_src: true }, ...onlyOn('a') },
    ],
    servers: { a: NEW, b: NEW },
    expected: { a: /'Unpack' was not checked: unarchive has no check mode/, b: [] },
  },
  {
    name: 'a tar archive that is left out in check mode',
    tasks: [
      copy(),
      {
        unarchive: { src: '/nonexistent.tgz', dest: '{{ etc }}', remote_src: true },
        when: 'not ansible_check_mode',
      },
    ],
    servers: { a: NEW },
    expected: { a: [] },
  },
  {
    name: 'a file of fragments',
    tasks: [{ name: 'Fragments', assemble: { src: 'fragments', dest: '{{ etc }}/f', remote_src: false } }, copy('g')],
    servers: { a: OLD, b: OLD },
    files: { 'fragments/1': 'one\n' },
    expected: { a: ['f', 'g'], b: ['f', 'g'] },
    before219: { a: /'Fragments' was not checked/, b: /'Fragments' was not checked/ },
  },
  {
    name: 'a file that is fetched over HTTP, which is not looked at in check mode',
    tasks: [
      { name: 'Fetch', uri: { url: 'http://127.0.0.1:9/', dest: '{{ etc }}/f' }, ...onlyOn('a') },
      { name: 'Ask', uri: { url: 'http://127.0.0.1:9/' } },
      copy(),
    ],
    servers: { a: NEW, b: NEW },
    expected: { a: /'Fetch' was not checked: uri has no check mode/, b: [] },
  },
  {
    name: 'known hosts',
    tasks: [
      {
        known_hosts: {
          name: 'h',
          path: '{{ etc }}/known_hosts',
          key: 'h ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIzr0MmqRzyTgKQh4kXDfzpZlL0PqGoi1C1zBZ0W0pWl',
        },
      },
    ],
    expected: { a: ['known_hosts'] },
  },
  {
    name: 'two tasks that write one file',
    tasks: [{ lineinfile: { path: '{{ etc }}/f', line: 'x' } }, { lineinfile: { path: '{{ etc }}/f', line: 'y' } }],
    servers: { a: NEW },
    expected: { a: ['f'] },
  },
  {
    name: 'a tree by file, no recursion',
    tasks: [{ file: { path: '{{ etc }}/d', state: 'directory', recurse: true, mode: 'u=rwX,go=' } }],
    servers: { a: { 'd/x': '' } },
    expected: { a: ['d'] },
  },
  // --- what is no file
  {
    name: 'a package',
    tasks: [{ name: 'Hello', apt: { name: 'gitops-no-such-package', state: 'absent' } }, line()],
    servers: { a: NEW },
    expected: { a: [] },
  },
  { name: 'a user', tasks: [{ user: { name: 'gitops-nobody' } }], expected: { a: ['other:user gitops-nobody'] } },
  { name: 'a group', tasks: [{ group: { name: 'gitops-none' } }], expected: { a: ['other:group gitops-none'] } },
  {
    name: 'users of a loop',
    tasks: [{ user: { name: '{{ item }}' }, loop: ['gitops-x', 'root', 'gitops-y'] }],
    expected: { a: ['other:user gitops-x', 'other:user gitops-y'] },
  },
  {
    name: 'a command with creates',
    tasks: [{ name: 'Warm up', command: { cmd: 'touch x', creates: '{{ etc }}/warm' } }],
    expected: { a: ['other:Warm up'] },
  },
  {
    name: 'a command that creates what is there',
    tasks: [{ name: 'Warm up', command: { cmd: 'touch x', creates: '{{ etc }}/f' } }, line()],
    servers: { a: NEW },
    expected: { a: [] },
  },
  { name: 'a probe by changed_when', tasks: [probe('true')], expected: { a: ['other:Probe'] } },
  { name: 'a probe that finds nothing', tasks: [probe('false')], expected: { a: [] } },
  {
    name: 'a probe by stat',
    tasks: [{ name: 'There', stat: { path: '{{ etc }}/f' }, register: 'found', changed_when: 'not found.stat.exists' }],
    servers: { a: NEW, b: {} },
    expected: { a: [], b: ['other:There'] },
  },
  {
    name: 'a probe by debug',
    tasks: [line(), { name: 'Told', debug: { msg: 'x' }, changed_when: true }],
    servers: { a: NEW },
    expected: { a: ['other:Told'] },
  },
  {
    name: 'two probes of one name',
    tasks: [probe('true'), probe("me == 'a'"), probe('true')],
    servers: { a: {}, b: {} },
    expected: { a: ['other:Probe', 'other:Probe (2)', 'other:Probe (3)'], b: ['other:Probe', 'other:Probe (3)'] },
  },
  {
    name: 'a looped probe',
    tasks: [probe('item != 2', { loop: [1, 2, 'three'] })],
    expected: { a: ['other:Probe (item 1)', 'other:Probe (three)'] },
  },
  {
    name: 'a command alone says nothing',
    tasks: [{ command: 'true' }, line()],
    servers: { a: NEW },
    expected: { a: [] },
  },
  {
    name: 'a task that must not count',
    tasks: [line('f', { changed_when: false }), line('g')],
    servers: { a: OLD },
    expected: { a: ['g'] },
  },
  {
    name: 'facts, groups and hosts are no drift',
    tasks: [{ set_fact: { x: 1 } }, { group_by: { key: 'g_{{ me }}' } }, line()],
    servers: { a: NEW },
    expected: { a: [] },
  },
  {
    name: 'a command that fails is not told as a difference',
    tasks: [{ name: 'Run', command: 'false', check_mode: false, ...onlyOn('a') }, line()],
    servers: { a: NEW, b: NEW },
    expected: { a: /^'Run' failed: .*non-zero return code/, b: [] },
  },
  {
    name: 'the last line of what a command said',
    tasks: [{ name: 'Run', shell: 'echo why >&2; exit 3', check_mode: false, ...onlyOn('a') }, line()],
    servers: { a: NEW, b: NEW },
    expected: { a: /non-zero return code\.? \(why\)/, b: [] },
  },
  // --- no_log
  {
    name: 'two no_log tasks of one name',
    tasks: [
      { ...copy('f', { no_log: true }), name: 'Key' },
      { ...copy('g', { no_log: true }), name: 'Key' },
    ],
    servers: { a: { f: 'new\n', g: 'old\n' }, b: {} },
    expected: {
      a: ['other:(hidden by no_log) Key (2)'],
      b: ['other:(hidden by no_log) Key', 'other:(hidden by no_log) Key (2)'],
    },
  },
  {
    name: 'a no_log task that fails',
    tasks: [{ name: 'Key', fail: { msg: 'TOPSECRET' }, no_log: true, ...onlyOn('a') }, line()],
    servers: { a: NEW, b: NEW },
    expected: { a: /^'Key' failed: (?!.*TOPSECRET)/, b: [] },
  },
  {
    name: 'a no_log loop',
    tasks: [{ ...copy('{{ item }}', { no_log: true, loop: ['SECRET1', 'SECRET2'] }), name: 'Keys' }],
    expected: { a: ['other:(hidden by no_log) Keys'] },
  },
  {
    name: 'an undefined variable in a no_log task',
    tasks: [{ name: 'Key', copy: { content: '{{ nope }}', dest: '/x' }, no_log: true, ...onlyOn('a') }, line()],
    servers: { a: NEW, b: NEW },
    expected: { a: /^'Key' failed: /, b: [] },
  },
  // --- handlers
  {
    name: 'a handler follows from a change',
    tasks: [line('f', { notify: 'H' })],
    play: { handlers: [{ name: 'H', command: 'true', check_mode: false, changed_when: true }] },
    servers: { a: OLD },
    expected: { a: ['f'] },
  },
  {
    name: 'a handler that fails on one server',
    tasks: [line('f', { notify: 'H' })],
    play: { handlers: [{ name: 'H', fail: { msg: 'boom' }, ...onlyOn('a') }] },
    servers: { a: OLD, b: OLD, c: NEW },
    expected: { a: /'H' failed: boom/, b: ['f'], c: [] },
  },
  // --- one server's failure is its own
  {
    name: 'a failed task',
    tasks: [line(), fail(onlyOn('a')), line('g')],
    servers: AB,
    expected: { a: /^'Fail' failed: boom$/, b: ['f', 'g'] },
  },
  {
    name: 'a failed last task',
    tasks: [line(), fail(onlyOn('a'))],
    servers: { a: NEW, b: NEW, c: OLD },
    expected: { a: /boom/, b: [], c: ['f'] },
  },
  {
    name: 'ignore_errors',
    tasks: [line(), fail({ ...onlyOn('a'), ignore_errors: true })],
    servers: { a: NEW, b: NEW },
    expected: { a: /'Fail' failed: boom/, b: [] },
  },
  {
    name: 'rescue',
    tasks: [{ block: [fail(onlyOn('a'))], rescue: [{ debug: { msg: 'x' } }] }, line()],
    servers: { a: NEW, b: NEW },
    expected: { a: /'Fail' failed: boom/, b: [] },
  },
  {
    name: 'always after a failure',
    tasks: [{ block: [fail(onlyOn('a'))], always: [line()] }, line('g')],
    servers: AB,
    expected: { a: /boom/, b: ['f', 'g'] },
  },
  {
    name: 'a server that does not answer',
    tasks: [
      {
        ping: {},
        vars: {
          ansible_connection: "{{ 'ssh' if me == 'a' else 'local' }}",
          ansible_port: 9,
          ansible_host: '127.0.0.1',
        },
      },
      line(),
    ],
    servers: { a: NEW, b: NEW },
    expected: { a: /'ping' unreachable: .*127\.0\.0\.1/, b: [] },
  },
  {
    name: 'ignore_unreachable',
    tasks: [
      {
        ping: {},
        ignore_unreachable: true,
        vars: {
          ansible_connection: "{{ 'ssh' if me == 'a' else 'local' }}",
          ansible_port: 9,
          ansible_host: '127.0.0.1',
        },
      },
      line(),
    ],
    servers: { a: NEW, b: NEW },
    expected: { a: /unreachable/, b: [] },
  },
  {
    name: 'free: the fast one is done before the other fails',
    play: { strategy: 'free' },
    tasks: [
      line(),
      { command: 'sleep 0.3', check_mode: false, changed_when: false, ...onlyOn('a') },
      fail(onlyOn('a')),
    ],
    servers: { a: NEW, b: NEW, c: OLD },
    expected: { a: /boom/, b: [], c: ['f'] },
  },
  {
    name: 'host_pinned: the fast one is done before the other fails',
    play: { strategy: 'host_pinned' },
    tasks: [
      line(),
      { command: 'sleep 0.3', check_mode: false, changed_when: false, ...onlyOn('a') },
      fail(onlyOn('a')),
    ],
    servers: { a: NEW, b: NEW, c: OLD },
    expected: { a: /boom/, b: [], c: ['f'] },
  },
  {
    name: 'serial: a batch fails in part',
    play: { serial: 2 },
    tasks: [line(), fail(onlyOn('a'))],
    servers: { a: NEW, b: NEW, c: OLD, d: NEW },
    expected: { a: /boom/, b: [], c: ['f'], d: [] },
  },
  {
    name: 'serial: one after the other',
    play: { serial: 1 },
    tasks: [line()],
    servers: { a: NEW, b: OLD, c: NEW },
    expected: { a: [], b: ['f'], c: [] },
  },
  {
    name: 'run_once: the difference is the first server’s',
    tasks: [line('f', { run_once: true }), line('g')],
    servers: { a: { f: 'old\n', g: 'new\n' }, b: { f: 'old\n', g: 'new\n' } },
    expected: { a: ['f'], b: [] },
  },
  {
    name: 'delegated to another server',
    tasks: [line('f', { delegate_to: '{{ case }}-b', ...onlyOn('a') }), line('g')],
    servers: { a: { g: 'new\n' }, b: { g: 'new\n' } },
    expected: { a: ['f'], b: [] },
  },
  // --- includes
  {
    name: 'an included file',
    tasks: [{ include_tasks: 'more.yml' }],
    servers: { a: OLD },
    files: { 'more.yml': JSON.stringify([line()]) },
    expected: { a: ['f'] },
  },
  {
    name: 'a missing included file, on one server',
    tasks: [line(), { name: 'More', include_tasks: 'nope.yml', ...onlyOn('a') }],
    servers: { a: NEW, b: NEW, c: OLD },
    expected: { a: /'More' failed: .*nope\.yml/, b: [], c: ['f'] },
  },
  {
    name: 'a missing included file, rescued',
    tasks: [
      { block: [{ name: 'More', include_tasks: 'nope.yml', ...onlyOn('a') }], rescue: [{ debug: { msg: 'x' } }] },
      line(),
    ],
    servers: { a: NEW, b: NEW },
    expected: { a: /nope\.yml/, b: [] },
  },
  {
    name: 'a missing role',
    tasks: [line(), { name: 'Role', include_role: { name: 'nope' }, ...onlyOn('a') }],
    servers: { a: NEW, b: NEW, c: OLD },
    expected: { a: /role 'nope' was not found/i, b: [], c: ['f'] },
  },
  {
    name: 'a missing role, rescued',
    tasks: [
      { block: [{ name: 'Role', include_role: { name: 'nope' }, ...onlyOn('a') }], rescue: [{ debug: { msg: 'x' } }] },
      line(),
    ],
    servers: { a: NEW, b: NEW },
    expected: { a: /role 'nope' was not found/i, b: [] },
  },
  {
    name: 'a missing role, with strategy free',
    play: { strategy: 'free' },
    tasks: [line(), { name: 'Role', include_role: { name: 'nope' }, ...onlyOn('a') }],
    servers: { a: NEW, b: NEW },
    expected: { a: /role 'nope' was not found/i, b: [] },
  },
  {
    name: 'a role whose dependency is missing',
    tasks: [line(), { include_role: { name: 'needy' }, ...onlyOn('a') }],
    servers: { a: NEW, b: NEW },
    files: { 'roles/needy/meta/main.yml': '{"dependencies": ["nope"]}', 'roles/needy/tasks/main.yml': '[]' },
    expected: { a: /role 'nope' was not found/i, b: [] },
  },
  {
    name: 'an include that fails in a loop, for one server',
    tasks: [
      {
        name: 'More',
        include_tasks: '{{ item }}',
        loop: ['more.yml', "{{ 'nope.yml' if me == 'a' else 'more.yml' }}"],
      },
    ],
    servers: { a: NEW, b: NEW },
    files: { 'more.yml': JSON.stringify([line()]) },
    expected: { a: /nope\.yml/, b: [] },
  },
  // --- a server leaves the play
  {
    name: 'meta: end_host',
    tasks: [line(), { meta: 'end_host', ...onlyOn('a') }, line('g')],
    servers: AB,
    expected: { a: /ended the play before 'line of g'/, b: ['f', 'g'] },
  },
  {
    name: 'meta: end_host as the last task',
    tasks: [line(), { meta: 'end_host' }],
    servers: { a: NEW },
    expected: { a: [] },
  },
  {
    name: 'meta: end_play',
    tasks: [line(), { meta: 'end_play' }, line('g')],
    servers: { a: NEW },
    expected: { a: /ended the play before 'line of g'/ },
  },
  {
    name: 'meta: clear_host_errors after a failure',
    tasks: [fail(onlyOn('a')), { meta: 'clear_host_errors' }, line()],
    servers: { a: NEW, b: NEW },
    expected: { a: /boom/, b: [] },
  },
  {
    name: 'every task skipped',
    tasks: [line('f', { when: false })],
    servers: { a: OLD },
    expected: { a: /nothing was checked/ },
  },
  { name: 'nothing but facts', tasks: [{ set_fact: { x: 1 } }], expected: { a: /nothing was checked/ } },
  {
    name: 'a pause that asks',
    tasks: [{ name: 'Sure?', pause: { prompt: 'Sure?' } }, line()],
    servers: { a: NEW, b: NEW },
    expected: { a: /no answer to the pause 'Sure\?'/, b: /no answer to/ },
  },
  { name: 'a pause that waits', tasks: [{ pause: { seconds: 1 } }, line()], servers: { a: NEW }, expected: { a: [] } },
  {
    name: 'two plays for one server',
    plays: [{ tasks: [line()] }, { tasks: [line('g')] }],
    servers: { a: NEW },
    expected: { a: ['g'] },
  },
  {
    name: 'failed in the first play, and so not in the second',
    plays: [{ tasks: [line(), fail(onlyOn('a'))] }, { tasks: [line('g')] }],
    servers: { a: NEW, b: { ...NEW, g: 'new\n' } },
    expected: { a: /boom/, b: [] },
  },
  {
    name: 'a question of the play',
    play: { vars_prompt: [{ name: 'size' }] },
    tasks: [line()],
    servers: { a: OLD },
    expected: { a: /no answer to vars_prompt 'size'/ },
  },
  {
    name: 'a question of the play with a default',
    play: { vars_prompt: [{ name: 'size', default: '1' }] },
    tasks: [line()],
    servers: { a: NEW },
    expected: { a: /no answer to vars_prompt 'size'/ },
  },
  {
    name: 'a task that runs for real',
    tasks: [line('f', { check_mode: false })],
    servers: { a: OLD },
    expected: { a: ['f'] },
  },
]

/** secret_a: f, secret_b: changed, secret_c: "1", secret_d: 0-a; the password is sesame. */
const VAULTED = [
  '$ANSIBLE_VAULT;1.1;AES256',
  '31653634616261613932623861663162313866386236633733656662663232313666653636393966',
  '3066383033366639353030663930613735346564373134390a326561633031386638326332326665',
  '65396535336233393334613964316531326161353738666535393061643661373738326533343862',
  '3637353031373536620a613833653863383964326532313565656137396539623436316330626364',
  '30616237323833363938626434616336396362633064343336646363353534633230386539383239',
  '33333663386530643239316533366562653438323132313036616361393437316337323663626334',
  '333139626236656637336134323132633334',
].join('\n')

/** Cases that end the run of Ansible, or need options of their own. */
export const ALONE: readonly Case[] = [
  {
    name: 'any_errors_fatal stops the others',
    play: { any_errors_fatal: true },
    tasks: [line(), fail(onlyOn('a')), line('g')],
    servers: AB,
    expected: { a: /boom/, b: STOPPED },
  },
  {
    name: 'max_fail_percentage stops the others',
    play: { max_fail_percentage: 10 },
    tasks: [line(), fail(onlyOn('a')), line('g')],
    servers: AB,
    expected: { a: /boom/, b: STOPPED },
  },
  {
    name: 'a batch that fails keeps later ones from beginning',
    play: { serial: 1 },
    tasks: [line(), fail(onlyOn('a'))],
    servers: { a: NEW, b: NEW },
    expected: { a: /boom/, b: /ended before the start of the play/ },
  },
  {
    name: 'a play whose servers all fail keeps the next from beginning',
    plays: [
      { hosts: '*-a', tasks: [fail()] },
      { hosts: '*-b', tasks: [line()] },
    ],
    servers: AB,
    expected: { a: /boom/, b: /ended before the start of the play/ },
  },
  {
    name: 'end_play in the first batch keeps the others from beginning',
    play: { serial: 1 },
    tasks: [line(), { meta: 'end_play', ...onlyOn('a') }],
    servers: { a: NEW, b: NEW },
    expected: { a: [], b: /ended before the start of the play/ },
  },
  {
    name: 'an included file that is no YAML ends the run',
    tasks: [line(), { include_tasks: 'broken.yml', ...onlyOn('a') }, line('g')],
    servers: AB,
    files: { 'broken.yml': '- name: [' },
    expected: { a: /the check was stopped before/, b: /the check was stopped before 'line of g': / },
  },
  {
    name: 'a variable that is not defined, on all servers',
    tasks: [{ name: 'Undefined', copy: { content: '{{ nope }}', dest: '{{ etc }}/f' } }],
    servers: AB,
    expected: { a: /'Undefined' failed: .*nope/, b: /'Undefined' failed: .*nope/ },
  },
  {
    name: 'an answered question',
    play: { vars_prompt: [{ name: 'size' }] },
    tasks: [line()],
    servers: { a: OLD },
    args: ['--', '--extra-vars', 'size=1'],
    expected: { a: ['f'] },
  },
  {
    name: 'vaulted values that are the name of a file and of a server, a word of Ansible, and a digit',
    play: { vars_files: ['vaulted.yml'] },
    tasks: [line('{{ secret_a }}'), line('g1', { when: "secret_b + secret_c + secret_d != ''" })],
    servers: { a: { f: 'old\n', g1: 'new\n' }, b: { f: 'new\n', g1: 'new\n' } },
    files: { 'vaulted.yml': VAULTED, password: 'sesame' },
    args: ['--', '--vault-password-file', 'password'],
    expected: { a: ['f'], b: [] },
  },
  {
    name: 'end_host, accepted',
    tasks: [line(), { meta: 'end_host', ...onlyOn('a') }, line('g')],
    servers: AB,
    args: ['--accept-partial'],
    expected: { a: ['f'], b: ['f', 'g'] },
  },
  {
    name: 'a module without check mode, accepted',
    tasks: [line(), { uri: { url: 'http://127.0.0.1:9/', dest: '{{ etc }}/x' } }],
    servers: { a: NEW },
    args: ['--accept-partial'],
    expected: { a: [] },
  },
  { name: 'part of the servers', tasks: [line()], servers: AB, args: ['--', '--limit', '*-b'], expected: { b: ['f'] } },
  {
    name: 'facts that are cached',
    play: { gather_facts: true },
    tasks: [line()],
    servers: { a: NEW },
    env: { ANSIBLE_CACHE_PLUGIN: 'jsonfile', ANSIBLE_CACHE_PLUGIN_CONNECTION: 'cache', ANSIBLE_GATHERING: 'smart' },
    expected: { a: [] },
  },
  {
    name: 'colours and retry files',
    tasks: [line(), fail(onlyOn('a'))],
    servers: AB,
    env: { ANSIBLE_FORCE_COLOR: 'true', ANSIBLE_RETRY_FILES_ENABLED: 'true' },
    expected: { a: /boom/, b: ['f'] },
  },
]
