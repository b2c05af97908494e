import { createServer } from 'node:http';
import { createNodeMiddleware, Webhooks } from '@octokit/webhooks';
import { SECRET } from '../../helpers/secrets.js';
import { handleEvent } from './handled.js';
import { PATH, type Receiver } from './receiver.js';

/** The receiver of GitHub's own library, of the same body signed in GitHub's way. */
export const startReceiver: Receiver = async (port) => {
  const webhooks = new Webhooks({ secret: SECRET });
  webhooks.on('push', ({ payload }) => handleEvent(payload));
  createServer(createNodeMiddleware(webhooks, { path: PATH })).listen(port, '127.0.0.1');
};
