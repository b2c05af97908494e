import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { describe, expect, it, jest } from '@jest/globals';
import { exitOnClosedPipe } from '../../../lib/cli/cli-io.js';
import { SCALEKIT_EVENT_TYPES } from '../../../lib/events/catalog.js';
import { runCliCaptured } from '../../helpers/run-cli-captured.js';

describe('scalekit-webhooks', () => {
  it('prints the version of the package', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(await runCliCaptured(['--version'])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
  });

  it.each([['--help'], ['trigger', '--help'], ['events', '--help'], ['verify', '--help']])(
    'prints usage and examples for %s %s',
    async (...argv) => {
      const { exitCode, stdout } = await runCliCaptured(argv.filter((word) => typeof word === 'string'));
      expect(exitCode).toBe(0);
      expect(stdout).toContain('Usage: scalekit-webhooks');
      expect(stdout).toContain('Examples:\n  $ ');
    },
  );

  it.each([
    ['no command', []],
    ['an unknown command', ['evnts']],
    ['an unknown option', ['events', '--xml']],
    ['a missing argument', ['trigger']],
    ['missing files', ['verify']],
    ['a count of zero', ['trigger', 'user.created', '--count', '0']],
    ['a count that is not a number', ['trigger', 'user.created', '--count', '1e3']],
    ['an unknown scheme', ['trigger', 'user.created', '--scheme', 'md5']],
    ['a URL with another protocol', ['trigger', 'user.created', '--url', 'ftp://localhost']],
    ['a URL without a protocol', ['trigger', 'user.created', '--url', 'localhost']],
    ['a negative tolerance', ['verify', '--headers', 'h', '--body', 'b', '--tolerance', '-1']],
  ])('exits with 2 for %s', async (_, argv) => {
    const { exitCode, stdout, stderr } = await runCliCaptured(argv);
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).not.toBe('');
  });
});

describe('scalekit-webhooks events', () => {
  it('lists every known event type, one per line', async () => {
    const { exitCode, stdout } = await runCliCaptured(['events']);
    expect(exitCode).toBe(0);
    expect(stdout.trimEnd().split('\n')).toEqual(SCALEKIT_EVENT_TYPES);
  });

  it('prints the list as JSON', async () => {
    const { stdout } = await runCliCaptured(['events', '--json']);
    expect(JSON.parse(stdout)).toEqual(SCALEKIT_EVENT_TYPES);
  });

  it('ends quietly if the reader of its output closes the pipe', () => {
    const stdout = new PassThrough();
    const exit = jest.fn();
    exitOnClosedPipe(stdout, exit);

    stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    expect(exit).toHaveBeenCalledTimes(1);
    expect(() => stdout.emit('error', new Error('write ENOSPC'))).toThrow('write ENOSPC');
  });
});
