import { ANSIBLES } from '../../support/ansible.ts'
import { testCases } from '../../support/playbooks.ts'

// A file for each version: they run side by side.
for (const ansible of ANSIBLES.filter(({ name }) => name === 'oldest ansible-core')) testCases(ansible)
