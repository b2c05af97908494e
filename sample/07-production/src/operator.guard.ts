import { createHash, timingSafeEqual } from 'node:crypto';
import { type CanActivate, type ExecutionContext, Injectable, UnauthorizedException } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Request, Response } from 'express';

/** Basic authentication for the user `operator`. Use your own login instead if you have one. */
@Injectable()
export class OperatorGuard implements CanActivate {
  readonly #expected: Buffer;

  constructor(config: ConfigService) {
    const password = config.getOrThrow<string>('DASHBOARD_PASSWORD');
    if (password.length < 12) throw new Error('DASHBOARD_PASSWORD must have at least 12 characters');
    this.#expected = digest(`Basic ${Buffer.from(`operator:${password}`).toString('base64')}`);
  }

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const given = http.getRequest<Request>().headers.authorization ?? '';
    // Digests have one length, and comparing them takes the same time whatever was given.
    if (timingSafeEqual(digest(given), this.#expected)) return true;
    http.getResponse<Response>().setHeader('WWW-Authenticate', 'Basic realm="webhooks"');
    throw new UnauthorizedException();
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
