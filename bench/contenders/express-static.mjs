// What one would take first: express.static over the directory. express-static.mjs PORT DIRECTORY
import express from 'express'

const [port, directory] = process.argv.slice(2)
express().use(express.static(directory)).listen(Number(port), '127.0.0.1')
