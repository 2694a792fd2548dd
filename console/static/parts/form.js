// A form made of a JSON schema (2020-12, as pydantic writes it). What a form can't say (unions of objects, schemas
// without a type) is one field of JSON.

import { el } from "./dom.js";
import { digits, parse, whole } from "./exact.js";

const DEEPEST = 6;

/** `{element, read()}`; `read` answers the value, or throws an Error that names the field, which then has the focus. */
export function form(schema, value, { label = "Input" } = {}) {
  const made = field(schema ?? {}, schema ?? {}, label, value, true, 0);
  return { element: made.element, read: made.read };
}

function resolve(schema, whole) {
  let found = schema;
  for (let hops = 0; found.$ref && hops < 20; hops++) {
    const { $ref, ...beside } = found;
    const target = $ref.replace(/^#\/?/, "").split("/").filter(Boolean)
      .reduce((node, name) => node?.[name.replaceAll("~1", "/").replaceAll("~0", "~")], whole);
    found = { ...(target ?? {}), ...beside };
  }
  if (found.allOf?.length === 1) {
    const { allOf, ...beside } = found;
    return { ...resolve(allOf[0], whole), ...beside };
  }
  return found;
}

function field(given, whole, label, value, required, depth) {
  const schema = resolve(given, whole);
  const options = (schema.anyOf ?? schema.oneOf)?.map((one) => resolve(one, whole));
  if (options) {
    const real = options.filter((one) => one.type !== "null");
    const nullable = real.length < options.length;
    const { anyOf, oneOf, ...beside } = schema;
    const fits = real.length === 1 ? real[0]
      : real.every((one) => ["number", "integer", "string"].includes(one.type)) ? { type: "decimal" } : null;
    if (fits) return field({ ...fits, ...beside }, whole, label, value ?? schema.default, required && !nullable, depth);
    return json(schema, label, value, required);
  }
  const start = value === undefined ? schema.default : value;
  if (schema.const !== undefined) return { element: null, read: () => schema.const };
  if (schema.enum) return choice(schema, label, start, required);
  const type = Array.isArray(schema.type) ? schema.type.find((one) => one !== "null") : schema.type;
  if (type === "object" && schema.properties && depth < DEEPEST) return object(schema, whole, label, start, depth, required);
  if (type === "array" && schema.items && depth < DEEPEST) return list(schema, whole, label, start, depth);
  if (type === "boolean") return flag(schema, label, start);
  if (["string", "number", "integer", "decimal"].includes(type)) return line(schema, type, label, start, required);
  return json(schema, label, start, required);
}

function labelled(schema, label, control, required) {
  const help = schema.description && el("small", { class: "muted" }, schema.description);
  return el("label", { class: "field" }, el("span", {}, schema.title && label === "Input" ? schema.title : label,
    required ? null : el("i", { class: "muted" }, " optional")), control, help);
}

function refuse(control, text) {
  control.setAttribute("aria-invalid", "true");
  control.focus();
  throw new Error(text);
}

function line(schema, type, label, start, required) {
  const long = type === "string" && (schema.maxLength ?? 1000) > 200 && !schema.format && !schema.pattern;
  const kind = { date: "date", time: "time" }[schema.format] ?? "text";
  const control = el(long ? "textarea" : "input", {
    ...(long ? { rows: 2 } : { type: kind, inputmode: type === "string" ? null : "decimal" }),
    value: start === undefined || start === null ? "" : digits(start) ?? String(start), maxlength: schema.maxLength, spellcheck: long ? "true" : "false",
  });
  return {
    element: labelled(schema, label, control, required),
    read() {
      control.removeAttribute("aria-invalid");
      const text = control.value;
      if (text === "") {
        if (type === "string" && required) return "";
        return required ? refuse(control, `${label} is empty.`) : undefined;
      }
      if (type === "string" || type === "decimal") return text;
      const number = Number(text);
      if (Number.isNaN(number)) refuse(control, `${label} is to be a number.`);
      if (type === "integer" && !Number.isInteger(number)) refuse(control, `${label} is to be a whole number.`);
      try { return whole(text); } catch (error) { return refuse(control, `${label} ${error.message}`); }
    },
  };
}

function choice(schema, label, start, required) {
  const control = el("select", {}, required ? null : el("option", { value: "" }, "–"),
    schema.enum.map((one, at) => el("option", { value: String(at), selected: one === start }, String(one))));
  return {
    element: labelled(schema, label, control, required),
    read: () => (control.value === "" ? undefined : schema.enum[Number(control.value)]),
  };
}

function flag(schema, label, start) {
  const control = el("input", { type: "checkbox", checked: start === true });
  return {
    element: el("label", { class: "field flag" }, control, el("span", {}, label),
      schema.description && el("small", { class: "muted" }, schema.description)),
    read: () => control.checked,
  };
}

function object(schema, whole, label, start, depth, required) {
  const names = Object.keys(schema.properties);
  const parts = names.map((name) => [name, field(schema.properties[name], whole, name, start?.[name],
    (schema.required ?? []).includes(name), depth + 1)]);
  const inside = [depth === 0 && schema.description ? el("p", { class: "muted" }, schema.description) : null,
    ...parts.map(([, one]) => one.element)];
  return {
    element: depth === 0 ? el("div", { class: "fields" }, inside)
      : el("fieldset", { class: "fields" }, el("legend", {}, label, required ? null : el("i", { class: "muted" }, " optional")), inside),
    read() {
      const given = Object.fromEntries(parts.map(([name, one]) => [name, one.read()]).filter(([, one]) => one !== undefined));
      return !required && Object.values(given).every((one) => one === "" || one === false) ? undefined : given;
    },
  };
}

function list(schema, whole, label, start, depth) {
  const items = [];
  const box = el("div", { class: "items" });
  const add = (value) => {
    const one = field(schema.items, whole, `${label} ${items.length + 1}`, value, true, depth + 1);
    const row = el("div", { class: "item" }, one.element, el("button", {
      type: "button", class: "quiet small", "aria-label": `Remove ${label} ${items.length + 1}`,
      onclick: () => { items.splice(items.indexOf(one), 1); row.remove(); },
    }, "Remove"));
    items.push(one);
    box.append(row);
    return row;
  };
  for (const value of Array.isArray(start) ? start : []) add(value);
  return {
    element: el("fieldset", { class: "fields" }, el("legend", {}, label), box, el("button", {
      type: "button", class: "small", onclick: () => add(undefined).querySelector("input, textarea, select")?.focus(),
    }, "Add")),
    read: () => items.map((one) => one.read()),
  };
}

function json(schema, label, start, required) {
  const control = el("textarea", { rows: 3, class: "mono", spellcheck: "false", placeholder: "JSON",
    value: start === undefined || start === null ? "" : JSON.stringify(start, null, 2) });
  return {
    element: labelled(schema, label, control, required),
    read() {
      control.removeAttribute("aria-invalid");
      if (control.value.trim() === "") return required ? null : undefined;
      try { return parse(control.value); } catch (error) {
        return refuse(control, `${label} is not JSON: ${error.message}`);
      }
    },
  };
}
