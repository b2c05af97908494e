#!/usr/bin/env node
import { exitOnClosedPipe } from './cli-io.js';
import { runCli } from './run-cli.js';

exitOnClosedPipe(process.stdout, () => process.exit());

runCli(process.argv.slice(2), process).then((exitCode) => {
  process.exitCode = exitCode;
});
