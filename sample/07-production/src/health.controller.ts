import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService } from '@nestjs/terminus';
import { ScalekitInboxHealthIndicator } from 'nestjs-scalekit-webhooks/terminus';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly scalekit: ScalekitInboxHealthIndicator,
  ) {}

  /** For readiness. As a liveness check, it would restart the process whenever the database is down. */
  @Get()
  @HealthCheck()
  check() {
    return this.health.check([() => this.scalekit.isHealthy('scalekit')]);
  }
}
