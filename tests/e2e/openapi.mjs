/** The OpenAPI document as a test uses it: its schemas compiled, strictly. */
import Ajv2020 from "ajv/dist/2020.js";

/** Forbids properties that the document does not name: an answer has exactly what it says. Names schemas without their place. */
function strict(schema) {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema === "string") return schema.replace("#/components/schemas/", "");
  if (typeof schema !== "object" || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, strict(value)]));
  return inner.properties && !("additionalProperties" in inner) ? { ...inner, additionalProperties: false } : inner;
}

/**
 * Compiles a document.
 * @param {any} document
 */
export function compile(document) {
  const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false, allowUnionTypes: true, validateFormats: false });
  for (const [name, schema] of Object.entries(document.components.schemas)) ajv.addSchema(strict(schema), name);
  const validator = (reference) => ajv.getSchema(strict(reference));
  return {
    document,
    /** Lists the operations. */
    operations: Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
    ),
    /** Returns what is wrong with an answer of an operation, JSON or text; nothing if it is as the document says. */
    problems(operation, status, value) {
      const content = operation.responses[status]?.content;
      if (!content) return `the document does not have the status ${status}`;
      const { schema } = content["application/json"] ?? content["text/plain"];
      const validate = validator(schema.$ref);
      return validate(value) ? undefined : `${schema.$ref}: ${ajv.errorsText(validate.errors)}`;
    },
  };
}
