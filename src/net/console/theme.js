// Colours of the map, light and dark, and of the teams. CSS has its own in app.css; canvas cannot read them cheaply.

const LIGHT = {
  land: "#eef0ea", grid: "#dfe3da", park: "#cfe6c1", parkEdge: "#bcd8ac", water: "#a9d3e6", square: "#e9e0d2",
  building: "#dcd3ca", buildingEdge: "#c6baad", shadow: "#cbc0b4", rail: "#a3a5ad", railGap: "#f3f4f0",
  road: "#ffffff", roadEdge: "#d5d2cb", major: "#fcebb6", majorEdge: "#e3c477", foot: "#ffffff", steps: "#d9a891",
  street: "#6b675f", halo: "rgba(250,250,246,.9)", poi: "#78509f", hotel: "#4a74a8", transit: "#2b6cb0",
  green: "#47793b", plaza: "#8a6d4c", district: "#8b8f9b",
  label: "#1e1b3a", labelHalo: "rgba(255,255,255,.92)", dotEdge: "#ffffff", me: "#7c3aed",
  open: "#2f86dd", done: "#0e9f6e", locked: "#7d8aa3", idle: "#7c3aed",
};

const DARK = {
  land: "#20232a", grid: "#2b2f38", park: "#25352a", parkEdge: "#2d4133", water: "#1c3a4d", square: "#2c2c2f",
  building: "#31333c", buildingEdge: "#3e414c", shadow: "#191b20", rail: "#5b5f6b", railGap: "#24272e",
  road: "#434753", roadEdge: "#1a1c21", major: "#5f563e", majorEdge: "#1a1c21", foot: "#3a3e48", steps: "#6b5549",
  street: "#a9adb8", halo: "rgba(26,28,33,.85)", poi: "#b394d6", hotel: "#86aedd", transit: "#7fb6f0",
  green: "#8dbf80", plaza: "#c2a783", district: "#848a99",
  label: "#f3f2fb", labelHalo: "rgba(22,23,28,.9)", dotEdge: "#15161a", me: "#a78bfa",
  open: "#4f9ff0", done: "#2cc08c", locked: "#8792a8", idle: "#a078f5",
};

/** @typedef {typeof LIGHT} Theme */

const dark = globalThis.matchMedia?.("(prefers-color-scheme: dark)");

/** The colours now. @returns {Theme} */
export const theme = () => (dark?.matches ? DARK : LIGHT);

/** Calls back when the reader's preference changes. @param {() => void} changed */
export const onThemeChange = (changed) => dark?.addEventListener("change", changed);

const TEAMS = [
  "#e11d48", "#2563eb", "#059669", "#d97706", "#9333ea", "#0891b2", "#be185d", "#65a30d", "#ea580c", "#4f46e5",
  "#0d9488", "#a16207",
];
/** @type {Map<string, string>} */
const given = new Map();

/** A team's colour, the same as long as the page lives. @param {string | null | undefined} team */
export function teamColour(team) {
  if (team == null) return "#6b7280";
  let colour = given.get(team);
  if (colour === undefined) {
    colour = TEAMS[given.size % TEAMS.length];
    given.set(team, colour);
  }
  return colour;
}
