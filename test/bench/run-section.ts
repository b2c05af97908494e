// A child process that runs one section, so that no section inherits the heap and the optimized code of another:
// `node run-section.js <name>`.
import type { RoundOptions } from './measure.js';
import { SECTIONS, sectionName } from './section.js';

const section = await SECTIONS[sectionName(process.argv[2])]();
process.on('message', async (options: RoundOptions) => process.send?.(await section.run(options)));
process.once('disconnect', () => process.exit());
process.send?.('ready');
