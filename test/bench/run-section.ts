// A child process that runs one section of the bench, so that none meets the heap and the code that another has left:
// `node run-section.js <name>`.
import type { Thoroughness } from './rounds.js';
import { sectionNamed } from './sections.js';

const section = sectionNamed(process.argv[2]);
process.on('message', async (thoroughness: Thoroughness) => process.send?.(await section.run(thoroughness)));
process.once('disconnect', () => process.exit());
process.send?.('ready');
