/** Carrying something by hand: a feature to a parameter, a look to the pad.
 *
 * A mouse carries as soon as it moves, a finger after it has rested on the thing for a moment, so that a swipe still scrolls.
 * Where a thing may be put down is said with `receives`; it is found through every shadow root. Who carries by keyboard uses a
 * list instead (choose.ts).
 */

export interface Load {
  what: string; // "feature", "look"
  name: string;
  label: string;
}

export interface Target {
  /** Words where it cannot be put down here; "" where it can. */
  refuses(load: Load): string;
  over?(load: Load | null): void;
  drop(load: Load, x: number, y: number): void;
}

export interface Lift {
  /** What hangs on the finger. */
  ghost(): HTMLElement;
  /** Pressed and let go without moving: a click. */
  tap?(event: PointerEvent): void;
  /** A finger rested on it and was lifted again. */
  held?(event: PointerEvent): void;
  /** Let go where nothing receives it. */
  nowhere?(): void;
}

const targets = new WeakMap<Element, Target>();
const FAR = 5; // px of a mouse before a press becomes a carry
const REST = 320; // ms of a finger
const SHAKE = 10; // px that a resting finger may tremble
const EDGE = 56; // px from the window's edge in which it scrolls along

/** Let things be put down on this element; null to stop. For lit's `ref`. */
export function receives(element: Element | undefined, target: Target | null): void {
  if (!element) return;
  if (target) targets.set(element, target);
  else targets.delete(element);
}

/** What is carried now, for those who light up for it: the window's "ks-carry" event says when it changes. */
export let carried: Load | null = null;

function carry(load: Load | null): void {
  carried = load;
  dispatchEvent(new CustomEvent("ks-carry", { detail: load }));
}

/** Call it on pointerdown. Follows this pointer until it is let go. */
export function lift(down: PointerEvent, load: Load, how: Lift): void {
  if (down.button !== 0 || carried) return;
  const element = down.currentTarget as HTMLElement;
  const finger = down.pointerType !== "mouse";
  const ended = new AbortController();
  const listen = { signal: ended.signal };
  let ghost: HTMLElement | null = null;
  let over: Element | null = null;
  let x = down.clientX;
  let y = down.clientY;
  let moved = false;
  let scrolling = 0;

  const begin = () => {
    ghost = how.ghost();
    ghost.setAttribute("aria-hidden", "true");
    for (const [name, value] of Object.entries(HANGING)) ghost.style.setProperty(name, value);
    document.body.append(ghost);
    if (finger) navigator.vibrate?.(8);
    document.documentElement.style.cursor = "grabbing";
    carry(load);
    place();
    scrolling = requestAnimationFrame(scroll);
  };
  const place = () => {
    ghost?.style.setProperty("transform", `translate(${x}px, ${y}px) translate(-50%, -50%)`);
    const found = under(x, y);
    const next = found && targets.get(found)!.refuses(load) === "" ? found : null;
    if (next === over) return;
    if (over) targets.get(over)?.over?.(null);
    over = next;
    if (over) targets.get(over)?.over?.(load);
  };
  const scroll = () => {
    const by = y < EDGE ? y - EDGE : y > innerHeight - EDGE ? y - innerHeight + EDGE : 0;
    if (by && moved) {
      scroller(x, y)?.scrollBy(0, by / 4);
      place();
    }
    scrolling = requestAnimationFrame(scroll);
  };
  const end = () => {
    ended.abort();
    clearTimeout(resting);
    cancelAnimationFrame(scrolling);
    ghost?.remove();
    document.documentElement.style.cursor = "";
    if (over) targets.get(over)?.over?.(null);
    if (ghost) carry(null);
  };
  const resting = finger ? setTimeout(begin, REST) : undefined;

  const same = (event: PointerEvent) => event.pointerId === down.pointerId;
  addEventListener(
    "pointermove",
    (event) => {
      if (!same(event)) return;
      x = event.clientX;
      y = event.clientY;
      const far = Math.hypot(x - down.clientX, y - down.clientY);
      if (!ghost && finger && far > SHAKE) return end(); // a swipe: it scrolls
      if (!ghost && !finger && far > FAR) begin();
      if (far > (finger ? SHAKE : FAR)) moved = true;
      if (ghost) place();
    },
    listen,
  );
  addEventListener(
    "pointerup",
    (event) => {
      if (!same(event)) return;
      const found = under(x, y);
      const carrying = ghost !== null;
      end();
      swallow();
      if (!carrying) return how.tap?.(event);
      if (!moved) return how.held?.(event);
      const target = found && targets.get(found);
      if (target && target.refuses(load) === "") target.drop(load, x, y);
      else if (target) complain(target.refuses(load), x, y);
      else how.nowhere?.();
    },
    listen,
  );
  addEventListener("pointercancel", (event) => same(event) && end(), listen);
  addEventListener("keydown", (event) => event.key === "Escape" && ghost && (event.stopPropagation(), end()), {
    ...listen,
    capture: true,
  });
  // While it is carried by a finger, the page must not scroll under it.
  element.addEventListener("touchmove", (event) => ghost && event.cancelable && event.preventDefault(), {
    ...listen,
    passive: false,
  });
  const noMenu = (event: Event) => finger && (event.preventDefault(), event.stopImmediatePropagation());
  element.addEventListener("contextmenu", noMenu, { ...listen, capture: true });
}

/** The click that follows is this hand's, not one for whatever has opened under it. */
function swallow(): void {
  const stop = (event: Event) => {
    event.preventDefault();
    event.stopPropagation();
  };
  addEventListener("click", stop, { capture: true, once: true });
  setTimeout(() => removeEventListener("click", stop, { capture: true }), 350);
}

const HANGING: Record<string, string> = {
  position: "fixed",
  left: "0",
  top: "0",
  "z-index": "1000",
  "pointer-events": "none",
  "will-change": "transform",
};

function deepest(x: number, y: number): Element | null {
  let found = document.elementFromPoint(x, y);
  while (found?.shadowRoot) {
    const inner = found.shadowRoot.elementFromPoint(x, y);
    if (!inner || inner === found) break;
    found = inner;
  }
  return found;
}

/** The parent, out of a shadow root and into its slot's host where it must be. */
const above = (element: Element): Element | null =>
  element.assignedSlot ?? element.parentElement ?? ((element.getRootNode() as ShadowRoot).host as Element) ?? null;

function under(x: number, y: number): Element | null {
  let here = deepest(x, y);
  while (here && !targets.has(here)) here = above(here);
  return here;
}

function scroller(x: number, y: number): Element | null {
  let here = deepest(x, y);
  while (here) {
    if (here.scrollHeight > here.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(here).overflowY)) return here;
    here = above(here);
  }
  return document.scrollingElement;
}

/** A few words at the place where something could not be put down; gone by themselves. */
function complain(words: string, x: number, y: number): void {
  const note = document.createElement("div");
  note.textContent = words;
  note.setAttribute("role", "alert");
  const look: Record<string, string> = {
    ...HANGING,
    left: `${Math.min(Math.max(x, 130), innerWidth - 130)}px`,
    top: `${Math.min(Math.max(y - 12, 80), innerHeight - 12)}px`,
    transform: "translate(-50%, -100%)",
    "max-width": "240px",
    padding: "10px 14px",
    "border-radius": "10px",
    font: "14px/1.4 system-ui, sans-serif",
    color: "#f4efe6",
    background: "#3a2420",
    border: "1px solid #8a5648",
    "box-shadow": "0 8px 30px rgb(0 0 0 / 50%)",
  };
  for (const [name, value] of Object.entries(look)) note.style.setProperty(name, value);
  document.body.append(note);
  setTimeout(() => note.remove(), 3200);
}
