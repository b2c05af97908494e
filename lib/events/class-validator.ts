import type { MetadataStorage } from 'class-validator';

// File by file, as the package's index loads every rule there is, with libphonenumber: most of what importing this
// library would cost. The paths are not the package's public API, so its version is pinned to a minor.
export { IsNotEmpty } from 'class-validator/cjs/decorator/common/IsNotEmpty.js';
export { IS_OPTIONAL, IsOptional } from 'class-validator/cjs/decorator/common/IsOptional.js';
export { ValidateNested } from 'class-validator/cjs/decorator/common/ValidateNested.js';
export { Matches } from 'class-validator/cjs/decorator/string/Matches.js';
export { IsArray } from 'class-validator/cjs/decorator/typechecker/IsArray.js';
export { IsBoolean } from 'class-validator/cjs/decorator/typechecker/IsBoolean.js';
export { IsObject } from 'class-validator/cjs/decorator/typechecker/IsObject.js';
export { IsString } from 'class-validator/cjs/decorator/typechecker/IsString.js';
export { getMetadataStorage } from 'class-validator/cjs/metadata/MetadataStorage.js';
export { registerDecorator } from 'class-validator/cjs/register-decorator.js';
export { ValidationTypes } from 'class-validator/cjs/validation/ValidationTypes.js';

/** What one decorator has declared on one field. */
export type ValidationMetadata = ReturnType<MetadataStorage['getTargetValidationMetadatas']>[number];
