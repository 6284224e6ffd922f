/**
 * The safetensors format: named tensors in one file, as Hugging Face publishes models. A file is 8 bytes of header length
 * (little-endian), a JSON header that names dtype, shape and byte range of each tensor, and their bytes without gaps.
 *
 * <p>Read in this order: {@link ds.safetensors.TensorInfo}, {@link ds.safetensors.SafetensorsFile} (one file),
 * {@link ds.safetensors.SafetensorsFolder} (a model, perhaps in several files), {@link ds.safetensors.SafetensorsWriter}.
 * Everything that is wrong with a file is a {@link ds.safetensors.SafetensorsException}, thrown when the file is opened.
 * Source: the format's description at <a href="https://huggingface.co/docs/safetensors">huggingface.co/docs/safetensors</a>.
 */
package ds.safetensors;
