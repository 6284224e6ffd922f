# Sourced by ./mvnw and ./ds: exports JAVA_HOME of a JDK 25, or says what to install.
# Looks at JAVA_HOME, then PATH, then the folders in which installers and version managers put JDKs.

ds_is_jdk25() {
  [ -x "$1/bin/javac" ] && [ -f "$1/release" ] && grep -q '^JAVA_VERSION="25[."]' "$1/release"
}

ds_find_jdk25() {
  if [ -n "${JAVA_HOME-}" ] && ds_is_jdk25 "$JAVA_HOME"; then
    return 0
  fi
  if command -v javac >/dev/null 2>&1; then
    ds_on_path=$(command -v javac)
    if command -v readlink >/dev/null 2>&1; then
      ds_on_path=$(readlink -f "$ds_on_path" 2>/dev/null || echo "$ds_on_path")
    fi
    ds_candidate=$(dirname "$(dirname "$ds_on_path")")
    if ds_is_jdk25 "$ds_candidate"; then
      JAVA_HOME=$ds_candidate
      return 0
    fi
  fi
  # The callers may run with globbing switched off (set -f), so these patterns are expanded by a child shell.
  ds_folders=$(sh -c 'ls -d /usr/lib/jvm/* /usr/java/* /opt/java/* /opt/jdk* /opt/*jdk* /usr/local/*jdk* \
      "$HOME"/.sdkman/candidates/java/* "$HOME"/.jdks/* "$HOME"/.asdf/installs/java/* \
      "$HOME"/.local/share/mise/installs/java/* /Library/Java/JavaVirtualMachines/*/Contents/Home \
      /opt/homebrew/opt/openjdk@25/libexec/openjdk.jdk/Contents/Home' 2>/dev/null || true)
  ds_ifs=$IFS
  IFS='
'
  for ds_candidate in $ds_folders; do
    if ds_is_jdk25 "$ds_candidate"; then
      JAVA_HOME=$ds_candidate
      IFS=$ds_ifs
      return 0
    fi
  done
  IFS=$ds_ifs
  return 1
}

if ds_find_jdk25; then
  export JAVA_HOME
else
  echo "ds needs a JDK 25 and found none in JAVA_HOME, on PATH or in the usual folders: install one (for example Temurin 25) or set JAVA_HOME to it." >&2
  exit 1
fi
