// {chromium, host, port, visits: [{name, scheme, width, script, steps}]} -> per visit {name, steps, errors, hosts}
//
// A step is one thing that a person does, {open: address}, {follow: link}, {press: button}, {tick: label} or
// {fill: [label, text]}, {wait: milliseconds}, or {axe: true}; by keyboard {tab: name} to what has that name,
// {type: text}, {space: true} and {enter: true}, which leads to another page. What each led to: {address, status,
// title, text, html, violations}. {axe: "everywhere"} looks in light and dark, narrow and wide. `host` is reached at `port` of this machine, and no other host at all.
// {until: text} waits for text, {click: button} leads nowhere else. With `scripts: false` pages run none.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { json } from "node:stream/consumers";
import puppeteer from "puppeteer-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");
const { chromium, host, port, visits } = await json(process.stdin);

async function act(page, step) {
  const named = (name, role) => page.locator(`::-p-aria([name="${name}"]${role ? `[role="${role}"]` : ""})`);
  const arriving = async (target) => (await Promise.all([page.waitForNavigation(), target.click()]))[0];
  if (step.open) return page.goto(step.open);
  if (step.follow) return arriving(named(step.follow, "link"));
  if (step.press) return arriving(named(step.press, "button"));
  if (step.tick) await named(step.tick, "checkbox").click();
  if (step.fill) await named(step.fill[0]).fill(step.fill[1]);
  if (step.tab) return tabbing(page, step.tab);
  if (step.type) await page.keyboard.type(step.type);
  if (step.click) await named(step.click, "button").click();
  if (step.until) await appearing(page, step.until);
  if (step.wait) await new Promise((resolve) => setTimeout(resolve, step.wait));
  if (step.space) await page.keyboard.press("Space");
  if (step.enter) return (await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]))[0];
  return null;
}

// Puppeteer fills fields by scripts of its own: so those of the page become empty files.
async function emptying(page) {
  await page.setRequestInterception(true);
  page.on("request", (request) =>
    request.resourceType() === "script" ? request.respond({ contentType: "text/javascript", body: "" }) : request.continue(),
  );
}

async function appearing(page, text) {
  const end = Date.now() + 30_000;
  while (!(await page.evaluate(() => document.documentElement.innerText)).includes(text)) {
    if (Date.now() > end) throw new Error(`not seen: ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// Presses Tab until what is named so has the focus. It must then be seen to have it.
async function tabbing(page, name) {
  for (let pressed = 0; pressed < 300; pressed += 1) {
    await page.keyboard.press("Tab");
    const [found, outline] = await page.evaluate(() => {
      const focused = document.activeElement;
      const text = (focused.labels?.[0] ?? focused).textContent || focused.placeholder || "";
      return [text.replace(/\s+/g, " ").trim(), getComputedStyle(focused).outlineStyle];
    });
    if (found === name) {
      if (outline === "none") throw new Error(`nothing shows that ${name} has the focus`);
      return null;
    }
  }
  throw new Error(`Tab does not lead to ${name}`);
}

async function violations(page) {
  await page.evaluate(AXE);
  const report = await page.evaluate(() => axe.run(document, { resultTypes: ["violations", "incomplete"] }));
  return report.violations.map(({ id, impact, nodes }) => ({
    rule: id,
    impact,
    nodes: nodes.slice(0, 3).map(({ html, failureSummary }) => `${html}: ${failureSummary}`),
  }));
}

async function asked(page, axe, scheme, width) {
  if (axe === "everywhere") return violationsEverywhere(page, scheme, width);
  return axe ? violations(page) : [];
}

async function show(page, scheme, width) {
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
}

const scrolls = (page) => page.evaluate(() => document.documentElement.scrollWidth > innerWidth);

async function violationsEverywhere(page, scheme, width) {
  const found = [];
  for (const [another, wide] of [["light", 360], ["light", 1200], ["dark", 1200], ["dark", 360]]) {
    await show(page, another, wide);
    for (const one of await violations(page)) found.push({ ...one, rule: `${one.rule} in ${another} at ${wide}` });
    if (await scrolls(page)) found.push({ rule: `scrolls sideways at ${wide}` });
  }
  await show(page, scheme, width);
  return found;
}

async function visit(browser, { scheme = "light", width = 700, scripts = true, steps }) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  if (!scripts) await emptying(page);
  const errors = [];
  const hosts = new Set();
  page.on("console", (message) => errors.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("dialog", (dialog) => errors.push(`dialog: ${dialog.message()}`) && dialog.dismiss());
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  await show(page, scheme, width);
  const seen = [];
  let response = null;
  for (const step of steps) {
    response = (await act(page, step)) ?? response;
    seen.push({
      address: page.url(),
      status: response.status(),
      title: await page.title(),
      text: await page.evaluate(() => document.documentElement.innerText ?? document.documentElement.textContent),
      scrolls: await scrolls(page),
      html: await response.text().catch(() => ""),
      violations: await asked(page, step.axe, scheme, width),
    });
  }
  await context.close();
  return { seen, errors, hosts: [...hosts].filter(Boolean) };
}

const browser = await puppeteer.launch({
  executablePath: chromium,
  acceptInsecureCerts: true,
  args: [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    `--host-resolver-rules=MAP ${host}:443 127.0.0.1:${port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`,
  ],
});
try {
  const told = {};
  for (const wanted of visits) told[wanted.name] = await visit(browser, wanted);
  console.log(JSON.stringify(told));
} finally {
  await browser.close();
}
