import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { takeScreenshots } from './take-screenshots.js';

const directory = fileURLToPath(new URL('../../docs/images', import.meta.url));
await mkdir(directory, { recursive: true });
await takeScreenshots(process.env.CHROMIUM_PATH || '/usr/bin/chromium', directory);
