import { Injectable, Logger } from '@nestjs/common';
import { OnScalekitEvent, type ScalekitEvent } from 'nestjs-scalekit-webhooks';

@Injectable()
export class AuditHandlers {
  readonly #logger = new Logger(AuditHandlers.name);

  @OnScalekitEvent('*')
  record(event: ScalekitEvent): void {
    this.#logger.log(`${event.type} ${event.id}`);
  }
}
